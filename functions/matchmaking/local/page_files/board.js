/** Shows who meets whom. */

export function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** In words: whom this pool's players look for. */
export function whoIsWanted(pool) {
  const sizes = pool?.team_sizes ?? [];
  if (sizes.length === 2 && sizes.every((size) => size === 1)) return "an opponent";
  const others = sizes.reduce((total, size) => total + size, -1);
  return others > 0 ? `${others} others` : "a match";
}

/** The teams side by side; one's own first, oneself marked. */
export function showTeams(place, match, me) {
  const own = match.teams.find(({ players }) => players.includes(me));
  const teams = own ? [own, ...match.teams.filter((team) => team !== own)] : match.teams;
  const parts = teams.flatMap((team, i) => {
    const side = element("section", undefined, "side");
    const title = element("h2", team.players.length > 1 ? team.name : team === own ? "You" : "Opponent");
    const players = element("ul");
    for (const player of team.players) {
      const item = element("li", player, player === me ? "me" : undefined);
      if (player === me && team.players.length > 1) item.append(element("small", "you"));
      players.append(item);
    }
    side.append(title, players);
    return i ? [element("p", "vs", "vs"), side] : [side];
  });
  place.replaceChildren(...parts);
  place.classList.toggle("duel", teams.every(({ players }) => players.length === 1));
}
