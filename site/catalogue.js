// What every page can do: change the theme, search, copy code, show a table of metrics on demand.
"use strict";

const root = document.body.dataset.root;

function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

// ---- theme: the system's until another one is chosen ----
const themeButton = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");

function chosenTheme() {
    try {
        return localStorage.getItem("theme");
    } catch {
        return null;
    }
}

function showTheme() {
    const theme = chosenTheme() || (dark.matches ? "navy" : "light");
    document.documentElement.classList.remove("light", "navy");
    document.documentElement.classList.add(theme);
    const other = theme === "light" ? "dark" : "light";
    themeButton.title = `Change to ${other}`;
    themeButton.querySelector("span").textContent = `Change to ${other}`;
    return theme;
}

themeButton.addEventListener("click", () => {
    const next = document.documentElement.classList.contains("light") ? "navy" : "light";
    try {
        localStorage.setItem("theme", next);
    } catch {
        // Without storage the choice lasts as long as the page.
    }
    document.documentElement.classList.remove("light", "navy");
    document.documentElement.classList.add(next);
    if (chosenTheme()) showTheme();
});
dark.addEventListener("change", showTheme);
themeButton.hidden = false;
showTheme();

// ---- search: names first, then papers and authors, then summaries, then all other words ----
const WEIGHTS = { names: 100, methods: 60, papers: 30, summary: 10, text: 1 };
const dialog = document.getElementById("search");
const searchText = document.getElementById("search-text");
const searchOpen = document.getElementById("search-open");
const searchFound = document.getElementById("search-found");
const searchSaid = document.getElementById("search-said");
let entries = null;

function plain(text) {
    return text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();
}

async function loadEntries() {
    const answer = await fetch(`${root}search.json`);
    const found = await answer.json();
    for (const entry of found) {
        entry.plain = Object.fromEntries(
            Object.keys(WEIGHTS).map((field) => [field, ` ${plain(entry[field])}`]));
    }
    return found;
}

function startsWord(text, word) {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
        if (!/[\p{L}\p{N}]/u.test(text[at - 1])) return at;
    }
    return -1;
}

function score(entry, words) {
    let sum = 0;
    for (const word of words) {
        const fields = Object.keys(WEIGHTS).filter((field) => startsWord(entry.plain[field], word) >= 0);
        if (fields.length === 0) return 0;
        sum += fields.reduce((total, field) => total + WEIGHTS[field], 0);
    }
    return sum;
}

function excerpt(entry, words) {
    const at = startsWord(entry.plain.text, words[0]);
    const inNames = words.every((word) => startsWord(`${entry.plain.names} ${entry.plain.methods}`, word) >= 0);
    if (inNames || at < 0) return entry.summary;
    return `… ${entry.text.slice(Math.max(0, at - 40), at + 110)} …`;
}

function showFound() {
    const words = plain(searchText.value).split(/\s+/).filter(Boolean);
    const scored = entries.map((entry) => [words.length ? score(entry, words) : 0, entry]);
    const found = scored.filter(([points]) => points > 0);
    found.sort(([a, first], [b, second]) => b - a || first.year - second.year);
    searchFound.replaceChildren(...found.slice(0, 12).map(([, entry]) => {
        const more = element("small", { textContent: `${entry.year}. ${excerpt(entry, words)}` });
        return element("li", {}, element("a", { href: root + entry.page }, entry.title, more));
    }));
    searchSaid.textContent = words.length
        ? `${found.length || "no"} problem${found.length === 1 ? "" : "s"}` : "";
}

async function openSearch() {
    dialog.showModal();
    searchText.select();
    entries ??= await loadEntries();
    showFound();
}

searchOpen.hidden = false;
searchOpen.addEventListener("click", openSearch);
searchText.addEventListener("input", () => entries && showFound());
dialog.querySelector("form").addEventListener("submit", (event) => {
    const first = searchFound.querySelector("a");
    if (event.submitter === null && first) location.href = first.href;
});
searchText.addEventListener("keydown", (event) => {
    const first = searchFound.querySelector("a");
    if (event.key === "Enter" && first) {
        event.preventDefault();
        first.click();
    } else if (event.key === "ArrowDown" && first) {
        event.preventDefault();
        first.focus();
    }
});
searchFound.addEventListener("keydown", (event) => {
    const item = event.target.closest("li");
    const next = { ArrowDown: item?.nextElementSibling, ArrowUp: item?.previousElementSibling }[event.key];
    if (next) {
        event.preventDefault();
        next.querySelector("a").focus();
    }
});
document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if ((event.key === "s" || event.key === "/") && !typing && !dialog.open
        && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        openSearch();
    }
});
dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
});

// ---- a button that copies, on every block of code ----
for (const block of document.querySelectorAll("main pre > code")) {
    const pre = block.parentElement;
    const copy = element("button", { type: "button", textContent: "Copy" });
    copy.setAttribute("aria-label", "Copy this code");
    copy.addEventListener("click", async () => {
        await navigator.clipboard.writeText(block.textContent);
        copy.textContent = "Copied";
    });
    const box = element("div", { className: "code-box" });
    pre.replaceWith(box);
    box.append(pre, copy);
}

// ---- wide tables scroll alone, also by keyboard ----
for (const wide of document.querySelectorAll("main .table-wrapper, main pre")) {
    wide.tabIndex = 0;
}

// ---- all metrics of a problem, once they are asked for ----
for (const details of document.querySelectorAll("details.metrics")) {
    details.addEventListener("toggle", async () => {
        const answer = await fetch(details.dataset.from);
        const rows = await answer.json();
        const head = ["metric", "program", "median", "25 %", "75 %", "seeds"];
        const line = (cells, kind) => element("tr", {}, ...cells.map((cell) => element(kind, {}, String(cell))));
        const body = rows.map(([program, name, low, middle, high, seeds]) =>
            line([name, program, middle, low, high, seeds], "td"));
        const table = element("table", {}, element("thead", {}, line(head, "th")),
            element("tbody", {}, ...body));
        const box = element("div", { className: "table-wrapper", tabIndex: 0 }, table);
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", "Every metric");
        details.append(box);
    }, { once: true });
}

// ---- a click on the number of a line puts it into the address ----
for (const listing of document.querySelectorAll(".listing")) {
    listing.addEventListener("click", (event) => {
        if (event.target.tagName === "I") location.hash = event.target.id;
    });
}
