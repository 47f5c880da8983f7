// Surveys without code: `<div data-resonate-survey="csat"></div>` becomes one question with its scale and a button. The value is
// the kind (nps, csat or ces), or the name of a survey whose kind `data-resonate-kind` says; `data-resonate-question`,
// `-low`, `-high`, `-send` and `-thanks` are its words, `data-resonate-channel` where it is asked. An answer is told once a visit.

const KINDS = {
  nps: [0, 10, "How likely are you to recommend us to a friend?", "not at all likely", "extremely likely"],
  csat: [1, 5, "How satisfied are you?", "very dissatisfied", "very satisfied"],
  ces: [1, 7, "How much effort did it take you?", "hardly any effort", "a lot of effort"],
};
let number = 0;

const made = (name, text, attributes) => {
  const element = document.createElement(name);
  if (text != null) element.textContent = text;
  for (const each in attributes) element.setAttribute(each, attributes[each]);
  return element;
};

/** Surveys that were answered in this visit, in this page or an earlier one. */
function answered(core) {
  const state = core.who()[4];
  if (!state.surveys || state.surveys.session != state.session) state.surveys = { session: state.session, names: [] };
  return state.surveys.names;
}

function ask(core, place) {
  const told = (name) => place.getAttribute(`data-resonate-${name}`);
  const survey = told("survey").trim(), kind = (told("kind") || survey).toLowerCase();
  if (!survey || !KINDS[kind]) return; // what the page has in its place stays
  const [least, most, question, low, high] = KINDS[kind], about = { survey, kind, channel: told("channel") || "site" };
  const name = `resonate-survey-${++number}`, form = made("form", null, { class: "resonate-survey" });
  const group = made("fieldset", null, { "aria-describedby": `${name}-ends` });
  group.append(made("legend", told("question") || question));
  group.append(made("p", `${least}: ${told("low") || low}. ${most}: ${told("high") || high}.`, { id: `${name}-ends` }));
  for (let score = least; score <= most; score++) {
    const label = made("label"), input = made("input", null, { type: "radio", name, value: score, required: "" });
    label.append(input, ` ${score} `);
    group.append(label);
  }
  form.append(group, made("button", told("send") || "Send my answer", { type: "submit" }));
  const said = made("p", "", { role: "status", tabindex: "-1" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation(); // of a form around the place
    const chosen = form.querySelector("input:checked");
    if (!chosen || answered(core).includes(survey)) return;
    answered(core).push(survey);
    core.remember();
    core.track("Survey Answered", { ...about, score: +chosen.value });
    said.textContent = told("thanks") || "Thank you.";
    form.replaceChildren(said);
    said.focus();
  });
  place.replaceChildren(form);
  core.inView(form, () => core.track("Survey Shown", about));
}

/** @param {object} core what the tag offers its parts */
export function start(core) {
  const asked = new WeakSet(), { settle } = core;
  // Who may not be counted is not asked, and no longer: their answer would go nowhere.
  const look = () => {
    const counts = /measure|personal/.test(core.consent);
    for (const place of document.querySelectorAll("[data-resonate-survey]")) {
      if (counts && !asked.has(place) && !answered(core).includes(place.getAttribute("data-resonate-survey").trim())) {
        asked.add(place);
        ask(core, place);
      } else if (!counts && asked.delete(place)) place.replaceChildren();
    }
  };
  core.settle = () => {
    settle();
    look();
  };
  look();
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}
