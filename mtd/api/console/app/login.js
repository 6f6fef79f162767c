import { HttpClient } from "./services/http.js";
import { Theme } from "./services/theme.js";

// Why somebody comes back from the identity provider without a login.
const PROBLEMS = {
  away: "The identity provider can't be reached at the moment. Try again; the daemon's log tells more.",
  expired: "That login took too long, or was begun in another window. Try again.",
  denied: "The identity provider refused the login.",
  token: "What the identity provider said could not be trusted. The daemon's log tells why.",
  nobody: "You are known, but nobody has given you a role here. Ask an admin of mtd.",
  disabled: "You, or your tenant, are disabled here. Ask an admin of mtd.",
};
const NEXT = "mtd.next";
const AGAIN_MS = 2000;

const at = (id) => document.getElementById(id);
const params = new URLSearchParams(location.search);

function show(id, text) {
  const element = at(id);
  if (text !== undefined) element.textContent = text;
  element.hidden = false;
}

function complain(text) {
  show("problem", text);
}

/** Remember where one wanted to go: an identity provider doesn't bring it back. */
function remember(hash) {
  try {
    if (hash) sessionStorage.setItem(NEXT, hash);
  } catch {
    // Storage may be forbidden: then it is the list.
  }
}

function goOn() {
  let hash = location.hash;
  try {
    hash = hash || sessionStorage.getItem(NEXT) || "";
    sessionStorage.removeItem(NEXT);
  } catch {
    // See above.
  }
  location.replace(`./${hash.startsWith("#/") ? hash : ""}`);
}

class LoginPage {
  constructor() {
    this.http = new HttpClient("api/v1/");
    this.offer = null;
    this.timer = null;
    this.untilMs = 0;
    at("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.enter();
    });
  }

  async open() {
    try {
      this.offer = await this.http.get("login");
    } catch (error) {
      show("note", `${error.message}. ${error.hint}`);
      this.openAgain();
      return;
    }
    if (this.offer.starting) {
      show("note", "mtd is starting…");
      this.openAgain();
      return;
    }
    at("note").textContent = "";
    // Who logged out, or wants to be somebody else, stays here.
    const stays = params.has("out") || params.has("other") || params.has("problem");
    if (this.offer.known && !stays) goOn();
    else this.fill();
  }

  openAgain() {
    setTimeout(() => this.open(), AGAIN_MS);
  }

  fill() {
    const { password, oidc, known } = this.offer;
    if (params.has("out")) show("note", "You are logged out.");
    const problem = PROBLEMS[params.get("problem")];
    if (problem) complain(problem);
    if (known) show("stay");
    if (password) {
      show("form");
      at("name").focus();
    }
    if (oidc) {
      remember(location.hash);
      show("provider", `Log in with ${oidc.name}`);
      if (!password) at("provider").focus();
    }
  }

  async enter() {
    if (Date.now() < this.untilMs || at("enter").disabled) return;
    const given = { name: at("name").value, password: at("password").value, tenant: at("tenant").value };
    at("enter").disabled = true;
    at("problem").hidden = true;
    try {
      await this.send(given);
      goOn();
    } catch (error) {
      this.refused(error);
    }
  }

  async send(given) {
    try {
      await this.http.post("login", given, this.offer.csrf);
    } catch (error) {
      if (error.status !== 403) throw error;
      this.offer = await this.http.get("login"); // the daemon started again meanwhile
      await this.http.post("login", given, this.offer.csrf);
    }
  }

  refused(error) {
    at("enter").disabled = false;
    if (error.status === 429 && error.retryAfterS) {
      this.untilMs = Date.now() + error.retryAfterS * 1000;
      this.count();
      return;
    }
    const text = error.message;
    complain(`${text[0].toUpperCase()}${text.slice(1)}.${error.status === 401 ? "" : ` ${error.hint}`}`);
    at("password").value = "";
    at("password").focus();
  }

  /** Tell how long one has to wait, and let it pass. */
  count() {
    clearTimeout(this.timer);
    const left = Math.ceil((this.untilMs - Date.now()) / 1000);
    at("enter").disabled = left > 0;
    if (left <= 0) {
      at("problem").hidden = true;
      return;
    }
    complain(`Too many wrong passwords. Try again in ${left} s.`);
    this.timer = setTimeout(() => this.count(), 1000);
  }
}

new Theme(() => localStorage).apply();
new LoginPage().open();
