"""The rule examples of other matchmakers, written as our pools: each behaves as its original's documentation says.

What the originals say is told in `pools/examples/README.md`, with the few things that our rules cannot.
"""

from itertools import count
from pathlib import Path
from random import Random

import pytest
import yaml

from matchmaking.core.matching import find_matches
from matchmaking.core.pool import load_pool
from matchmaking.core.queue import QueueView
from matchmaking.core.ticket import Player, Ticket

EXAMPLES = Path(__file__).parents[2] / "pools" / "examples"
_ids = count()


def rules_of(name):
    return load_pool(yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())).spec


def party(*ratings, since=0.0, region="eu-west", mode="default", **player):
    """A ticket; its players differ only in their ratings."""
    member = {"sigma": 1.0, "latency": {region: 20.0}} | player
    players = tuple(Player(id=f"p{next(_ids)}", rating=rating, **member) for rating in ratings)
    return Ticket(f"t{next(_ids):05}", region, mode, players, since)


def solos(*ratings, **player):
    return [party(rating, **player) for rating in ratings]


def matches(name, tickets, at):
    """The matches of one round at that age of the tickets."""
    return find_matches(QueueView(tickets), rules_of(name), at, Random(1)).matches


def sizes(match):
    return {team.name: sum(len(ticket.players) for ticket in team.tickets) for team in match.teams}


def averages(match):
    means = []
    for team in match.teams:
        ratings = [player.rating for ticket in team.tickets for player in ticket.players]
        means.append(sum(ratings) / len(ratings))
    return means


class TestFlexMatch:
    """docs.aws.amazon.com/gameliftservers/latest/flexmatchguide/match-examples.html"""

    @pytest.mark.parametrize(("gap", "early", "late"), [(30, 4, 6), (80, 14, 16)])
    def test_equal_teams_let_skill_differ_more_after_5_and_after_15_seconds(self, gap, early, late):
        """Two parties of four cannot be split, so the teams differ by the whole gap."""
        tickets = [party(10, 10, 10, 10), party(*[10 + gap] * 4)]
        assert not matches("flexmatch-equal-teams", tickets, early)
        [match] = matches("flexmatch-equal-teams", tickets, late)
        assert sizes(match) == {"cowboys": 4, "aliens": 4}

    def test_equal_teams_take_ten_at_once_and_never_over_a_hundred(self):
        assert matches("flexmatch-equal-teams", [party(10, 10, 10, 10), party(19, 19, 19, 19)], 0)
        assert not matches("flexmatch-equal-teams", [party(10, 10, 10, 10), party(*[120] * 4)], 60)

    def test_equal_teams_fill_up_to_eight_each(self):
        [match] = matches("flexmatch-equal-teams", solos(*range(5, 21)), 0)
        assert sizes(match) == {"cowboys": 8, "aliens": 8}
        assert abs(averages(match)[0] - averages(match)[1]) <= 10

    @pytest.mark.parametrize(("players", "expected"), [(8, 4), (9, 4), (11, 5), (15, 7), (16, 8), (23, 8)])
    def test_equal_teams_are_equal(self, players, expected):
        [match] = matches("flexmatch-equal-teams", solos(*[10.0] * players), 0)
        assert sizes(match) == {"cowboys": expected, "aliens": expected}

    def test_equal_teams_of_parties_are_equal_too(self):
        assert not matches("flexmatch-equal-teams", [party(*[10.0] * 5), party(*[10.0] * 4)], 60)
        [match] = matches("flexmatch-equal-teams", [party(*[10.0] * 5), party(*[10.0] * 4), party(10.0)], 0)
        assert sizes(match) == {"cowboys": 5, "aliens": 5}

    @staticmethod
    def hunters(number):
        """Hunters say nothing: not to be the monster is the default."""
        return [*solos(*[10.0] * number), *solos(10.0, attributes={"wantsToBeMonster": 1})]

    @pytest.mark.parametrize(("hunters", "early", "late"), [(4, 29, 31), (3, 59, 61)])
    def test_the_monsters_hunters_may_be_fewer_after_30_and_60_seconds(self, hunters, early, late):
        assert not matches("flexmatch-monster-hunters", self.hunters(hunters), early)
        [match] = matches("flexmatch-monster-hunters", self.hunters(hunters), late)
        assert sizes(match) == {"hunters": hunters, "monster": 1}

    def test_the_monster_is_one_who_wants_to_be_it(self):
        [match] = matches("flexmatch-monster-hunters", self.hunters(5), 0)
        assert sizes(match) == {"hunters": 5, "monster": 1}
        monster = next(team for team in match.teams if team.name == "monster").tickets[0].players[0]
        assert monster.attributes["wantsToBeMonster"] == 1

    def test_without_a_monster_nobody_hunts(self):
        assert not matches("flexmatch-monster-hunters", solos(*[10.0] * 9, attributes={"wantsToBeMonster": 0}), 120)

    def test_the_monster_reaches_the_highest_skill_that_a_hunter_asks_for(self):
        hunters = [party(10.0, attributes={"desiredSkillOfMonster": skill}) for skill in (12, 14, 18, 10, 11)]
        weak, strong = (solos(skill, attributes={"wantsToBeMonster": 1}) for skill in (17.0, 18.0))
        assert not matches("flexmatch-monster-hunters", [*hunters, *weak], 29)
        [match] = matches("flexmatch-monster-hunters", [*hunters, *weak], 31)
        assert sizes(match) == {"hunters": 4, "monster": 1}, "four will do, so the most demanding waits"
        [match] = matches("flexmatch-monster-hunters", [*hunters, *weak, *strong], 0)
        assert match.teams[1].tickets[0].id == strong[0].id
        [match] = matches("flexmatch-monster-hunters", [*hunters, *weak, *solos(10.0)], 0)
        assert match.teams[1].tickets[0].id == weak[0].id, "another hunter, who asks for less, takes the place"

    def test_rare_monsters_are_found_far_from_a_crowd_of_hunters(self):
        random = Random(5)
        crowd = [
            party(random.gauss(20, 4), attributes={"wantsToBeMonster": float(i < 20)}, since=-random.random() * 20.0) for i in range(120)
        ]
        found = matches("flexmatch-monster-hunters", crowd, 0)
        assert len(found) == 20

    @pytest.mark.parametrize(("ping", "early", "late"), [(45, None, 0), (90, 9, 11), (140, 19, 21), (160, 200, None)])
    def test_three_teams_bear_more_latency_after_10_and_20_seconds(self, ping, early, late):
        tickets = solos(*[10.0] * 9, latency={"eu-west": float(ping)})
        assert early is None or not matches("flexmatch-three-teams", tickets, early)
        if late is not None:
            [match] = matches("flexmatch-three-teams", tickets, late)
            assert sorted(sizes(match).values()) == [3, 3, 3]

    def test_three_teams_are_of_one_skill_and_hold_five_medics_at_most(self):
        medics = solos(*range(6, 16), attributes={"character": ["medic"]})
        found = matches("flexmatch-three-teams", [*solos(*range(5, 14)), *medics], 0)
        assert found
        for match in found:
            assert max(averages(match)) - min(averages(match)) <= 10
            assert sum("medic" in p.attributes["character"] for ticket in match.tickets for p in ticket.players) <= 5
        assert not matches("flexmatch-three-teams", medics, 0), "nine of ten would be medics"

    def test_three_teams_differ_by_one_player_at_most(self):
        [match] = matches("flexmatch-three-teams", [party(*[10.0] * size) for size in (5, 4, 4)], 0)
        assert sorted(sizes(match).values()) == [4, 4, 5]
        assert not matches("flexmatch-three-teams", [party(*[10.0] * size) for size in (5, 4, 3)], 60)
        [match] = matches("flexmatch-three-teams", [party(*[10.0] * 5), party(*[10.0] * 4), *solos(*[10.0] * 4)], 0)
        assert sorted(sizes(match).values()) == [4, 4, 5]

    def test_three_teams_refuse_who_reports_no_latency(self):
        assert not matches("flexmatch-three-teams", solos(*[10.0] * 9, latency={}), 60)

    def test_preferred_maps_need_a_mode_and_a_map_in_common(self):
        maps = [["alps", "bay"], ["bay"], ["bay", "city"], ["bay"], ["alps", "bay"], ["bay", "dunes"]]
        together = [party(50, attributes={"gameMode": ["coop", "deathmatch"], "acceptableMaps": names}) for names in maps]
        [match] = matches("flexmatch-preferred-maps", together, 0)
        assert sizes(match) == {"red": 3, "blue": 3}
        apart = [*together[:5], party(50, attributes={"gameMode": ["coop"], "acceptableMaps": ["dunes"]})]
        assert not matches("flexmatch-preferred-maps", apart, 120)

    def test_preferred_maps_put_similar_experience_together_if_they_can(self):
        likes = {"gameMode": ["coop"], "acceptableMaps": ["bay"]}
        tickets = solos(*[30, 31, 32, 33, 34, 35, 70, 71, 72, 73, 74, 75], attributes=likes)
        found = matches("flexmatch-preferred-maps", tickets, 0)
        assert len(found) == 2
        assert all(
            max(p.rating for t in m.tickets for p in t.players) - min(p.rating for t in m.tickets for p in t.players) <= 5 for m in found
        )
        assert matches("flexmatch-preferred-maps", solos(10, 20, 30, 70, 80, 90, attributes=likes), 0), "only a preference"

    @pytest.mark.parametrize(
        ("first", "second", "meet"),
        [
            (("turn-based", 1, 7), ("turn-based", 1, 8), True),
            (("turn-based", 1, 7), ("turn-based", 1, 7), False),
            (("turn-based", 1, 7), ("real-time", 1, 8), False),
            (("turn-based", 1, 7), ("turn-based", 2, 8), False),
        ],
    )
    def test_one_mode_one_map_different_characters(self, first, second, meet):
        names = ("gameMode", "gameMap", "character")
        tickets = [party(1500, attributes=dict(zip(names, values, strict=True))) for values in (first, second)]
        assert bool(matches("flexmatch-same-mode-and-map", tickets, 5)) is meet

    @pytest.mark.parametrize(("players", "early", "late"), [(175, None, 0), (160, 9, 11), (110, 14, 16), (99, 100, None)])
    def test_a_large_match_starts_with_fewer_after_10_and_15_seconds(self, players, early, late):
        tickets = solos(*[1500.0 + i for i in range(players)])
        assert early is None or not matches("flexmatch-large-match", tickets, early)
        if late is not None:
            [match] = matches("flexmatch-large-match", tickets, late)
            assert sizes(match) == {"marauders": players}

    def test_a_large_match_takes_200_and_bears_200_ms_after_12_seconds(self):
        assert sizes(matches("flexmatch-large-match", solos(*range(1500, 1730)), 0)[0]) == {"marauders": 200}
        slow = solos(*range(1500, 1700), latency={"eu-west": 180.0})
        assert not matches("flexmatch-large-match", slow, 11)
        assert matches("flexmatch-large-match", slow, 13)

    @pytest.mark.parametrize(("players", "early", "late"), [(125, None, 0), (110, 14, 16), (90, 19, 21), (84, 100, None)])
    def test_many_teams_start_with_fewer_hunters_after_15_and_20_seconds(self, players, early, late):
        tickets = solos(*[1500.0 + i for i in range(players)])
        assert early is None or not matches("flexmatch-many-teams", tickets, early)
        if late is not None:
            [match] = matches("flexmatch-many-teams", tickets, late)
            assert sizes(match)["monsters"] == 5
            hunters = [size for name, size in sizes(match).items() if name != "monsters"]
            assert (len(hunters), sum(hunters)) == (10, players - 5)
            assert max(hunters) - min(hunters) <= 1

    @pytest.mark.parametrize(
        ("players", "expected"),
        [(12, (5, 5, 2)), (14, (6, 6, 2)), (20, (9, 9, 2)), (23, (10, 10, 3))],
        ids=["least", "more", "most", "full"],
    )
    def test_unequal_large_teams_fill_the_one_with_most_open_places(self, players, expected):
        [match] = matches("flexmatch-unequal-large-teams", solos(*[1500.0] * players), 0)
        filled = sizes(match)
        assert (filled["red"], filled["blue"], filled["green"]) == expected
        assert not matches("flexmatch-unequal-large-teams", solos(*[1500.0] * 11), 60)

    def test_blocked_players_are_never_in_one_match(self):
        tickets = solos(*[1500.0] * 10)
        assert matches("flexmatch-blocklist", tickets, 0)
        enemy = tickets[3].players[0].id
        with_grudge = [*tickets[:9], party(1500.0, blocked=(enemy,))]
        assert not matches("flexmatch-blocklist", with_grudge, 200)
        [match] = matches("flexmatch-blocklist", [*with_grudge, party(1500.0)], 0)
        assert not {enemy, with_grudge[9].players[0].id} <= {p.id for t in match.tickets for p in t.players}


class TestPlayFab:
    """learn.microsoft.com/gaming/playfab/multiplayer/matchmaking/config-examples"""

    @pytest.mark.parametrize(("gap", "early", "late"), [(0.19, None, 0), (0.29, 4, 6), (0.39, 9, 11), (0.49, 14, 16), (0.9, 29, 31)])
    def test_linear(self, gap, early, late):
        """0.2 at first, 0.1 more every 5 s up to 0.5, of any two players; no limit after 30 s."""
        tickets = solos(0.05, 0.05, 0.05, 0.05 + gap)
        assert early is None or not matches("playfab-linear", tickets, early)
        assert len(matches("playfab-linear", tickets, late)) == 1

    @pytest.mark.parametrize(
        ("gap", "early", "late"),
        [(0.02, None, 0), (0.045, 4, 6), (0.09, 9, 11), (0.19, 14, 16), (0.29, 19, 21), (0.49, 24, 26), (0.9, 29, 31)],
    )
    def test_custom(self, gap, early, late):
        tickets = solos(0.05, 0.05, 0.05, 0.05 + gap)
        assert early is None or not matches("playfab-custom", tickets, early)
        assert len(matches("playfab-custom", tickets, late)) == 1

    def test_an_expansion_counts_only_when_everybody_has_waited(self):
        assert not matches("playfab-linear", [*solos(0.1, 0.1, 0.1), party(0.39, since=5.0)], 6)

    @pytest.mark.parametrize(
        ("players", "early", "late"), [(50, None, 0), (45, 9, 11), (40, 19, 21), (35, 29, 31), (25, 39, 41), (16, 49, 51), (8, 59, 61)]
    )
    def test_fewer_players_over_time(self, players, early, late):
        tickets = solos(*[1500.0] * players)
        assert early is None or not matches("playfab-fewer-players", tickets, early)
        [match] = matches("playfab-fewer-players", tickets, late)
        assert sizes(match) == {"everybody": players}

    def test_a_premade_of_eight_does_not_meet_twelve_strangers_for_20_seconds(self):
        tickets = [party(*[0.5] * 8), *solos(*[0.5] * 16)]
        assert not matches("playfab-big-team-battle", tickets, 19)
        assert matches("playfab-big-team-battle", tickets, 21)
        premades = [party(*[0.5] * 8), party(*[0.5] * 8), *solos(*[0.5] * 8)]
        [match] = matches("playfab-big-team-battle", premades, 0)
        assert all(max(len(ticket.players) for ticket in team.tickets) == 8 for team in match.teams)


def searches(ratings, *party_sizes):
    """As FAF's own tests build them: parties from the end of the list, each of so many; the others alone."""
    left = list(ratings)
    parties = [party(*[left.pop() for _ in range(size)]) for size in party_sizes]
    return [*solos(*left), *parties]


def players_in(found):
    return sum(len(ticket.players) for match in found for ticket in match.tickets)


class TestForgedAlliance:
    """github.com/FAForever/server: tests/unit_tests/test_matchmaker_algorithm_{team_matchmaker,bucket_teams}.py"""

    def test_2v2_of_pairs_only_and_of_pairs_and_solos(self):
        pairs = [party(1500, 1500) for _ in range(6)]
        assert players_in(matches("faf-2v2", pairs, 0)) == 12
        assert players_in(matches("faf-2v2", [*pairs, *solos(*[1500] * 12)], 0)) == 24

    def test_2v2_leaves_those_without_peers(self):
        [match] = matches("faf-2v2", solos(500, 500, 1500, 1500, 1500, 1500, 2000), 0)
        assert {player.rating for ticket in match.tickets for player in ticket.players} == {1500}

    def test_4v4_of_parties_and_solos_matches_16_of_17(self):
        ratings = [1251, 1116, 1038, 1332, 1271, 1142, 1045, 1347, 1359, 1348, 1227, 1118, 1058, 1338, 1271, 1137, 1025]
        found = matches("faf-4v4", searches(ratings, 2, 2, 2, 3), 90)
        assert players_in(found) == 16
        for match in found:
            assert sizes(match) == {"team-1": 4, "team-2": 4}
            assert abs(averages(match)[0] - averages(match)[1]) * 4 <= 250

    def test_4v4_matches_once_where_the_rest_is_too_far_apart(self):
        ratings = [227, 1531, 1628, 1722, 1415, 1146, 937, 1028, 1315, 1236, 1125, 1252, 1185, 1333, 1263, 1184, 1037]
        assert len(matches("faf-4v4", searches(ratings, 2, 2, 2, 3), 0)) == 1

    @pytest.mark.parametrize(
        ("ratings", "party_sizes", "most"),
        [
            ([910, 1030, 1170, 1430, 1700, 1650, 1490, 520], (), 150),
            ([1310, 620, 1230, 1070, 1180, 1090, 800, 1060], (3, 2), 50),
            ([925, 1084, 1015, 1094, 1403, 1526, 1637, 1718], (), 50),
            ([925, 1084, 1015, 1526, 1637, 1718, 1094, 1403], (2,), 50),
        ],
    )
    def test_4v4_is_split_as_evenly_as_theirs(self, ratings, party_sizes, most):
        """Their bounds for the difference of the sums; all wait long enough for the ratings' spread not to matter."""
        [match] = matches("faf-4v4", searches(ratings, *party_sizes), 250)
        assert abs(averages(match)[0] - averages(match)[1]) * 4 < most

    def test_4v4_of_a_full_party_against_solos(self):
        [match] = matches("faf-4v4", [party(1500, 1500, 1500, 1500), *solos(1500, 1490, 1510, 1500)], 0)
        assert sorted(len(team.tickets) for team in match.teams) == [1, 4]

    def test_4v4_cannot_be_made_of_three_three_and_two(self):
        assert not matches("faf-4v4", [party(1500, 1500, 1500), party(1500, 1500, 1500), party(1500, 1500)], 250)


class TestOpenMatch:
    """github.com/googleforgames/open-match: examples/scale/scenarios/teamshooter"""

    @staticmethod
    def twelve(span, **where):
        where = {"region": "region-0", "mode": "pl"} | where
        return solos(*[10.0] * 11, 10.0 + span, **where)

    def test_twelve_of_nearly_one_skill(self):
        [match] = matches("open-match-team-shooter", self.twelve(0.0099), 0)
        assert len(match.tickets) == 12
        assert not matches("open-match-team-shooter", self.twelve(0.0101), 250)
        assert not matches("open-match-team-shooter", self.twelve(0.005)[:11], 250)

    def test_neighbours_in_skill_are_found_in_a_crowd(self):
        random = Random(7)
        crowd = solos(*[10 + random.gauss(0, 1) * 0.2 for _ in range(600)], region="region-0", mode="cp")
        found = matches("open-match-team-shooter", crowd, 10)
        assert len(found) >= 10
        for match in found:
            ratings = [player.rating for ticket in match.tickets for player in ticket.players]
            assert max(ratings) - min(ratings) <= 0.01
