"use strict";
(() => {
  const survey = JSON.parse(document.getElementById("survey").textContent);
  const main = document.getElementById("main");
  const HEARD_PART = 0.5; // of a sample before it can be rated
  const store = "listening-" + survey.kit;
  let began = performance.now();

  function shuffled(list) {
    const copy = list.slice();
    for (let i = copy.length - 1; i > 0; i--) {
      const j = below(i + 1);
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }

  function below(limit) {
    const most = Math.floor(2 ** 32 / limit) * limit;
    const drawn = new Uint32Array(1);
    do crypto.getRandomValues(drawn); while (drawn[0] >= most);
    return drawn[0] % limit;
  }

  function drawScreens() {
    const screens = [];
    for (const section of survey.sections) {
      const chosen = shuffled(section.questions).slice(0, section.ask);
      const first = chosen.map((question) => screen(section, question, 1));
      const again = shuffled(chosen).slice(0, Math.min(survey.repeats, chosen.length));
      screens.push(...first, ...again.map((question) => screen(section, question, 2)));
    }
    return screens;
  }

  function screen(section, question, round) {
    return { section: section.name, question: question.id, round, order: shuffled(question.samples) };
  }

  function fresh() {
    const id = new Uint32Array(2);
    crypto.getRandomValues(id);
    const drawn = Array.from(id, (n) => n.toString(16).padStart(8, "0")).join("");
    const participant = "p" + drawn; // a letter first: no spreadsheet takes it for a number
    return { participant, at: 0, screens: drawScreens(), answers: {}, spent: 0 };
  }

  function recall() {
    try {
      return JSON.parse(localStorage.getItem(store));
    } catch {
      return null;
    }
  }

  function keep() {
    try {
      localStorage.setItem(store, JSON.stringify(state));
    } catch {
      /* a private window: the answers live as long as the page */
    }
  }

  function forget() {
    try {
      localStorage.removeItem(store);
    } catch {
      /* nothing was kept */
    }
  }

  let state = null;
  const questions = {};
  for (const section of survey.sections) for (const q of section.questions) questions[q.id] = q;

  function make(kind, options, ...children) {
    const node = Object.assign(document.createElement(kind), options);
    node.append(...children);
    return node;
  }

  function show(title, ...children) {
    const heading = make("h1", { textContent: title, tabIndex: -1 });
    main.replaceChildren(heading, ...children);
    heading.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  function ask() {
    const now = state.screens[state.at];
    const question = questions[now.question];
    const next = make("button", { textContent: "Next", disabled: true });
    const back = make("button", { textContent: "Back", className: "quiet", disabled: !state.at });
    const stop = make("button", { textContent: "Stop and erase", className: "quiet" });
    const blocks = now.order.map((sample, place) => block(now, sample, place, refresh));
    const parts = [progress()];
    if (question.tag) parts.push(make("p", { className: "tag", textContent: question.tag }));
    parts.push(make("p", { textContent: survey.asked[now.section] }));
    if (question.image) {
      parts.push(make("img", { className: "seen", src: question.image, alt: "The picture" }));
    }

    function refresh() {
      next.disabled = !now.order.every((sample) => {
        const answer = answerOf(now, sample);
        return answer.rating || answer.broken;
      });
      next.textContent = state.at + 1 === state.screens.length ? "Finish" : "Next";
    }
    next.onclick = () => go(1);
    back.onclick = () => go(-1);
    stop.onclick = erase;
    refresh();
    const title = `Question ${state.at + 1} of ${state.screens.length}`;
    show(title, ...parts, ...blocks, make("div", { className: "do" }, back, next, stop));
  }

  function progress() {
    const done = make("div", {});
    done.style.setProperty("width", `${(100 * state.at) / state.screens.length}%`);
    const bar = make("div", { className: "bar" }, done);
    bar.setAttribute("role", "progressbar");
    bar.setAttribute("aria-label", "Questions answered");
    bar.setAttribute("aria-valuenow", String(state.at));
    bar.setAttribute("aria-valuemax", String(state.screens.length));
    return bar;
  }

  function answerOf(now, sample) {
    const key = `${now.question} ${now.round} ${sample}`;
    state.answers[key] ??= { rating: 0, played: 0, at: 0 };
    return state.answers[key];
  }

  function block(now, sample, place, refresh) {
    const answer = answerOf(now, sample);
    const hint = make("p", { className: "hint" });
    const scale = make("div", { className: "scale" });
    const inputs = survey.scale.map((words, index) => {
      const input = make("input", {
        type: "radio", name: sample, value: String(index + 1), checked: answer.rating === index + 1,
      });
      input.onchange = () => {
        answer.rating = index + 1;
        answer.at = Math.round((state.spent + performance.now() - began) / 100) / 10;
        keep();
        refresh();
      };
      scale.append(make("label", {}, input, words));
      return input;
    });
    const sound = make("audio", { controls: true, preload: "auto", src: `audio/${sample}.flac` });
    const name = `Sample ${String.fromCharCode(65 + place)}`;
    const field = make("fieldset", {}, make("legend", { textContent: name }), sound, scale, hint);
    listen(sound, answer, () => {
      const isHeard = answer.rating > 0 || answer.played >= HEARD_PART * (sound.duration || 1e9);
      for (const input of inputs) input.disabled = !isHeard;
      field.classList.toggle("heard", isHeard);
      hint.textContent = isHeard ? "" : "Listen to at least half of it to rate it.";
    });
    sound.onerror = () => {
      hint.textContent = "This sample cannot be played here; leave it out.";
      answer.broken = true;
      refresh();
    };
    return field;
  }

  function listen(sound, answer, update) {
    let last = 0;
    sound.onplay = () => {
      last = sound.currentTime;
      for (const other of main.querySelectorAll("audio")) if (other !== sound) other.pause();
    };
    sound.onseeking = () => { last = sound.currentTime; };
    const count = () => {
      answer.played += Math.max(0, Math.min(sound.currentTime - last, 1));
      last = sound.currentTime;
      update();
    };
    sound.ontimeupdate = count;
    sound.onended = () => { count(); keep(); };
    sound.onloadedmetadata = update;
    update();
  }

  function go(step) {
    state.at += step;
    keep();
    if (state.at < state.screens.length) ask();
    else finish();
  }

  function erase() {
    if (!window.confirm("Erase all answers and stop?")) return;
    forget();
    state = null;
    show("Erased", make("p", { textContent: "Your answers are gone. Thank you for your time." }));
  }

  function table() {
    const rows = [["kit", "participant", "section", "question", "sample", "round", "position",
      "rating", "played_s", "answered_s"]];
    for (const now of state.screens) {
      now.order.forEach((sample, place) => {
        const answer = answerOf(now, sample);
        if (answer.rating) {
          rows.push([survey.kit, state.participant, now.section, now.question, sample, now.round,
            place + 1, answer.rating, answer.played.toFixed(1), answer.at.toFixed(1)]);
        }
      });
    }
    return rows.map((row) => row.join(",")).join("\n") + "\n";
  }

  function finish() {
    const text = table();
    const name = `${survey.kit}-${state.participant}.csv`;
    const save = make("button", { textContent: "Save the table" });
    save.onclick = () => {
      const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      make("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    };
    const back = make("button", { textContent: "Back", className: "quiet" });
    back.onclick = () => go(-1);
    const stop = make("button", { textContent: "Erase", className: "quiet" });
    stop.onclick = erase;
    const copy = make("textarea", { readOnly: true, value: text });
    copy.setAttribute("aria-label", "The table as text");
    show("Thank you",
      make("p", { textContent: `Save the table ${name} and hand it to who asked you.` }),
      make("div", { className: "do" }, back, save, stop),
      make("details", {},
        make("summary", { textContent: "If nothing can be saved here, copy it" }), copy));
  }

  function consent() {
    const agree = document.getElementById("agree");
    const begin = document.getElementById("begin");
    const resume = document.getElementById("resume");
    const kept = recall();
    const isKept = Boolean(kept && kept.screens && kept.answers);
    resume.hidden = !isKept;
    agree.onchange = () => { begin.disabled = resume.disabled = !agree.checked; };
    begin.onclick = () => {
      const words = "Answers on this device that were not saved will be lost. Begin anew?";
      if (!isKept || window.confirm(words)) start(fresh());
    };
    resume.onclick = () => start(kept);
  }

  function start(chosen) {
    state = chosen;
    go(0);
  }

  window.addEventListener("pagehide", () => {
    if (state) {
      state.spent += performance.now() - began;
      began = performance.now();
      keep();
    }
  });
  window.addEventListener("pageshow", () => { began = performance.now(); });
  consent();
})();
