/** The party panel: create one, pass its invite on, join by an invite, leave; the leader sends away. Shows the latest version that it was told. */

import { element } from "/demo/board.js";

const $ = (id) => document.getElementById(id);

/** `session()` gives the live `GameSession`. */
export class PartyPanel {
  #session;
  #onError;
  #party = null;

  constructor(session, { onError }) {
    this.#session = session;
    this.#onError = onError;
    $("party-create").addEventListener("click", () => this.#ask("createParty"));
    $("party-leave").addEventListener("click", () => this.#ask("leaveParty"));
    $("party-copy").addEventListener("click", () => navigator.clipboard?.writeText($("party-invite").textContent));
    $("party-join").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask("joinParty", $("party-code").value.trim());
    });
  }

  /** Whom the player queues with; null if nobody. */
  get party() {
    return this.#party;
  }

  /** Whether somebody else queues for the player. */
  get led() {
    return this.#party !== null && this.#party.leader !== this.#session().player;
  }

  /** The party as the snapshot has it. */
  begin(party) {
    this.#party = party ?? null;
    this.#show();
  }

  /** A `party_update`; returns what to tell, if anything. */
  update(party) {
    const known = this.#party;
    if (known?.party_id === party.party_id && party.members.length > 0 && party.version < known.version) return "";
    const mine = party.members.some(({ player_id: id }) => id === this.#session().player);
    this.#party = mine ? party : null;
    this.#show();
    if (!mine && party.reason === "kicked") return "The leader has sent you away.";
    return !mine && party.reason === "disbanded" ? "Your party is gone." : "";
  }

  async #ask(what, ...words) {
    try {
      await this.#session()[what](...words);
      $("party-code").value = "";
    } catch (error) {
      this.#onError(error);
    }
  }

  #show() {
    const party = this.#party;
    $("party-none").hidden = party !== null;
    $("party-some").hidden = party === null;
    $("join").disabled = this.led;
    $("led").hidden = !this.led;
    if (party === null) return;
    $("led").textContent = `${party.leader} leads your party and queues for all.`;
    $("party-invite").textContent = party.invite;
    const leads = party.leader === this.#session().player;
    $("party-members").replaceChildren(...party.members.map((member) => this.#member(member, party, leads)));
  }

  #member({ player_id: id, connected }, party, leads) {
    const item = element("li", id);
    if (!connected) item.classList.add("away");
    if (id === party.leader) item.append(" ", element("small", "leads"));
    if (!connected) item.append(" ", element("small", "away"));
    if (leads && id !== party.leader) {
      const button = element("button", "Send away", "quiet");
      button.type = "button";
      button.setAttribute("aria-label", `Send ${id} away`);
      button.addEventListener("click", () => this.#ask("kick", id));
      item.append(" ", button);
    }
    return item;
  }
}
