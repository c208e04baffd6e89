// Signs in with a token from the address (/login#crant_…), and takes it out of the address and the history.
"use strict";

const form = document.querySelector("form.signin");
const token = location.hash.slice(1);
const next = new URLSearchParams(location.search).get("next");

if (token.startsWith("crant_")) {
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.token.value = token;
  form.submit();
} else if (next) {
  // A link from another site arrives without the cookie, which is SameSite=Strict; from here it is sent.
  fetch("/v1/jobs?limit=1").then((answer) => {
    if (answer.ok) location.replace(form.elements.next.value);
  });
}
