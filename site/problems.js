// The list of problems: a filter, chips and an order, all of them kept in the address.
"use strict";

const form = document.getElementById("filters");
const list = document.getElementById("problems");
const count = document.getElementById("count");
const cards = [...list.children];
const ORDERS = {
    year: (a, b) => a.dataset.year - b.dataset.year,
    seconds: (a, b) => (a.dataset.seconds || Infinity) - (b.dataset.seconds || Infinity),
    share: (a, b) => b.dataset.share - a.dataset.share,
};

function words(text) {
    return text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase().split(/\s+/).filter(Boolean);
}

function read(state) {
    form.q.value = state.get("q") || "";
    form.sort.value = state.get("sort") in ORDERS ? state.get("sort") : "year";
    for (const box of form.querySelectorAll("input[type=checkbox]")) {
        box.checked = state.getAll(box.name).includes(box.value);
    }
}

function state() {
    const kept = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
        if (value && !(name === "sort" && value === "year")) kept.append(name, value);
    }
    return kept;
}

function apply() {
    const chosen = state();
    const asked = words(chosen.get("q") || "");
    const threads = chosen.getAll("thread");
    const verdicts = chosen.getAll("verdict");
    let shown = 0;
    for (const card of cards) {
        const text = words(card.dataset.text).join(" ");
        const fits = (threads.length === 0 || threads.includes(card.dataset.thread))
            && (verdicts.length === 0 || verdicts.includes(card.dataset.verdict))
            && asked.every((word) => text.includes(word));
        card.hidden = !fits;
        shown += fits;
    }
    const order = ORDERS[chosen.get("sort") || "year"];
    list.append(...cards.toSorted(order));
    count.textContent = shown === cards.length
        ? `${shown} problems` : `${shown} of ${cards.length} problems`;
}

function keep() {
    const text = state().toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
    apply();
}

form.addEventListener("input", keep);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(keep));
read(new URLSearchParams(location.search));
form.hidden = false;
apply();
