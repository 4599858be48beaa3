// What every page needs: the form word on htmx's requests, live tables, and the keyboard.
"use strict";

(() => {
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-Form-Word"] = document.body.dataset.formWord;
  });

  if (document.querySelector("[data-live]")) {
    const live = new EventSource("/live");
    live.addEventListener("ledger", () => htmx.trigger(document.body, "ledger"));
    window.addEventListener("pagehide", () => live.close());
  }

  for (const form of document.querySelectorAll("form[data-ask]")) {
    form.addEventListener("submit", (event) => {
      if (!window.confirm(form.dataset.ask)) {
        event.preventDefault();
      }
    });
  }

  const help = document.getElementById("help");
  const rows = () => [...document.querySelectorAll("table.list tbody a")];

  function move(by) {
    const links = rows();
    if (links.length) {
      const at = links.indexOf(document.activeElement);
      links[Math.max(0, Math.min(links.length - 1, at + by))].focus();
    }
  }

  const KEYS = {
    "?": () => help.showModal(),
    "/": () => document.getElementById("search")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    n: () => document.querySelector("[rel=next]")?.click(),
    p: () => document.querySelector("[rel=prev]")?.click(),
    d: () => document.getElementById("reason")?.focus(),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=range], [type=checkbox]), textarea, select, dialog");
    if (typing || event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) {
      return;
    }
    event.preventDefault();
    KEYS[event.key]();
  });
  document.getElementById("open-help")?.addEventListener("click", () => help.showModal());
})();
