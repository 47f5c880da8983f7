"""Whose past an answer may rest on."""

from events.authority import Authority
from events.records import user_person, visitor_person


def people_asking(authority: Authority, visitor_id: str | None, user_id: str | None) -> tuple[str, ...]:
    """The people whose purchases may be read for who asks, the user before the visitor.

    A page is answered for its visitor id alone, whatever user it names: everybody can name one. A backend that names a
    visitor may mean one of its users.
    """
    people: list[str] = []
    if authority > Authority.PAGE and user_id:
        people.append(user_person(user_id))
    if visitor_id:
        if authority is Authority.BACKEND and not user_id:
            people.append(user_person(visitor_id))
        people.append(visitor_person(visitor_id))
    return tuple(people)
