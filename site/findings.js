// The table of findings: a click on a column's head sorts it; a third one groups it by thread again.
"use strict";

const table = document.getElementById("headlines");
const groups = [...table.tBodies];
const rows = [...table.querySelectorAll("tbody tr:not(.thread)")];

function compare(key, sign) {
    return (a, b) => {
        const [x, y] = [a.dataset[key], b.dataset[key]];
        return sign * (key === "name" ? x.localeCompare(y) : x - y);
    };
}

function sort(key, direction) {
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    if (direction === "none") {
        for (const group of groups) group.append(...rows.filter((row) => row.home === group));
        table.append(...groups);
        return;
    }
    const sign = direction === "ascending" ? 1 : -1;
    const all = document.createElement("tbody");
    all.append(...rows.toSorted(compare(key, sign)));
    for (const body of [...table.tBodies]) body.remove();
    table.append(all);
    table.querySelector(`th[data-key=${key}]`).setAttribute("aria-sort", direction);
}

for (const row of rows) row.home = row.parentElement;
for (const head of table.querySelectorAll("th[data-key]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes, " ");
    head.append(button);
    button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "none" };
        const direction = next[head.getAttribute("aria-sort")] || "ascending";
        sort(head.dataset.key, direction);
    });
}
