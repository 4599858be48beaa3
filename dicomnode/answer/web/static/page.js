// What every page needs: the form word on htmx's requests.
"use strict";

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-Form-Word"] = document.body.dataset.formWord;
});
