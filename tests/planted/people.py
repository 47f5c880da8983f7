"""Faults of who may open pages, and of the forms on them."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

ROOM = "tests/app/people/test_people.py"
SESSIONS = "tests/app/people/test_sessions.py"
FORMS = "tests/app/dashboard/test_forms.py"
DOOR = "tests/app/dashboard/test_signed_in.py"
SIGN_IN = "tests/app/dashboard/pages/test_sign_in.py"
REFUSALS = "tests/app/dashboard/test_refusals.py"
STEERING = "tests/app/dashboard/pages/test_steering.py"
LEAKS = "tests/app/dashboard/test_no_token_leaks.py"

PEOPLE: Mapping[str, Mutation] = {
    "looked_at_link": Mutation(
        "a link that is looked at is used up",
        (f"{SIGN_IN}::test_a_link_signs_in_by_its_button_and_looking_at_it_uses_nothing_up",),
        (
            Edit(
                "app/dashboard/pages/sign_in.py",
                "        return _button(request, worker, token[:LONGEST_TOKEN])\n",
                '        await _entered(worker, SignIn(token, "looked"), "")\n'
                "        return _button(request, worker, token[:LONGEST_TOKEN])\n",
            ),
        ),
    ),
    "kept_token": Mutation(
        "the token of a link is kept as it is",
        (ROOM, LEAKS),
        (
            Edit(
                "app/people/member.py",
                'return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()',
                'return token if sha256 else ""',
            ),
        ),
    ),
    "link_for_ever": Mutation(
        "a link holds beyond its hour",
        (ROOM, SIGN_IN),
        (Edit("app/people/member.py", "return now < self.ends", "return bool(now)"),),
    ),
    "role_keeps_sessions": Mutation(
        "who gets another role stays signed in",
        (ROOM, DOOR),
        (Edit("app/people/file.py", "role=role, generation=secrets.token_hex(8))", "role=role)"),),
    ),
    "session_without_person": Mutation(
        "a session of an earlier role holds",
        (SESSIONS, DOOR),
        (Edit("app/people/sessions.py", " or person.generation != session.generation", ""),),
    ),
    "session_for_ever": Mutation(
        "a session that is used never ends",
        (SESSIONS,),
        (Edit("app/people/sessions.py", " and now < session.began + LONGEST_SESSION_SECONDS", ""),),
    ),
    "foreign_form": Mutation(
        "a form is taken from any page",
        (FORMS,),
        (Edit("app/dashboard/forms.py", "if not own or origin != own:", "if not own:"),),
    ),
    "form_of_any_session": Mutation(
        "a form is taken with the token of another session",
        (FORMS,),
        (Edit("app/dashboard/forms.py", "if not is_form_token(door.token, ", "if not bool("),),
    ),
    "form_done_twice": Mutation(
        "a form that is sent twice is done twice",
        (FORMS,),
        (Edit("app/dashboard/forms.py", "    await _claim(request, sha256(said.encode()).hexdigest())\n", ""),),
    ),
    "any_role": Mutation(
        "any role opens any page",
        (DOOR,),
        (Edit("app/dashboard/signed_in.py", "if needs not in member.scopes:", "if needs is None:"),),
    ),
    "plain_http": Mutation(
        "by plain http one signs in from anywhere",
        (DOOR, "tests/app/people/test_links.py"),
        (Edit("app/people/links.py", 'parts.scheme == "http" and is_loopback(parts.hostname or "")', "parts.scheme"),),
    ),
    "endless_tries": Mutation(
        "attempts to sign in are not counted",
        (DOOR,),
        (Edit("app/dashboard/pages/sign_in.py", "    tries.charge(now, ONE_TRY)\n", ""),),
    ),
    "forms_outlive_sessions": Mutation(
        "a form that is arriving is done, though its session ends meanwhile",
        (f"{FORMS}::test_a_form_that_is_still_arriving_when_its_person_is_removed_does_nothing",),
        (
            Edit(
                "app/dashboard/forms.py",
                "if await session_at(door, resources_of(request)) is None:",
                "if not door.url:",
            ),
        ),
    ),
    "pages_need_a_host": Mutation(
        "a page that refuses cannot be shown to who names no host",
        (f"{REFUSALS}::test_a_request_that_names_no_host_is_told_on_a_page",),
        (
            Edit(
                "app/http/address.py",
                'return forwarded(headers).prefix if self._networks.through_trusted(scope) else ""',
                "return urlsplit(self.of(scope, headers).url).path",
            ),
        ),
    ),
    "bare_answers_to_forms": Mutation(
        "what a form leads to has no headers of a page",
        (f"{STEERING}::test_the_answer_to_a_form_has_the_headers_of_a_page_wherever_it_leads",),
        (Edit("app/dashboard/forms.py", "response.headers.setdefault(name, value)", "assert value"),),
    ),
    "reasons_unseen": Mutation(
        "a reason that nobody can see will do",
        (f"{STEERING}::test_a_reason_that_nobody_can_see_is_none",),
        (
            Edit(
                "app/dashboard/pages/steering.py",
                "seen = sum(letter.isprintable() for letter in reason)",
                "seen = len(reason)",
            ),
        ),
    ),
}
