//! The vote of the nearest points.

use super::{LabelId, Neighbour};

/// The winning label and its share of the weight, 0 to 1; `None` without neighbours.
///
/// A neighbour weighs 1 / distance. Neighbours at distance 0 outvote all others, one vote each. Of labels with equal weight
/// the lowest wins. `votes` is scratch, one place a label.
pub(in super::super) fn vote(neighbours: &[Neighbour], votes: &mut [f32]) -> Option<(LabelId, f32)> {
    votes.fill(0.0);
    let exact = neighbours.first()?.squared == 0.0;
    let mut total = 0.0;
    for neighbour in neighbours {
        let weight = match (exact, neighbour.squared == 0.0) {
            (true, true) => 1.0,
            (true, false) => 0.0,
            (false, _) => 1.0 / neighbour.squared.sqrt().max(f32::MIN_POSITIVE),
        };
        if let Some(votes) = votes.get_mut(usize::from(neighbour.label.0)) {
            *votes += weight;
            total += weight;
        }
    }
    let mut best: Option<(LabelId, f32)> = None;
    for (label, &weight) in (0..).map(LabelId).zip(votes.iter()) {
        if weight > 0.0 && best.is_none_or(|(_, most)| weight > most) {
            best = Some((label, weight));
        }
    }
    best.map(|(label, weight)| (label, (weight / total).clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_weigh_by_distance_and_an_exact_match_decides() {
        let at = |label: u16, distance: f32| Neighbour { row: 0, label: LabelId(label), squared: distance * distance };
        let mut votes = [0.0; 3];
        let mut vote = |neighbours: &[Neighbour]| vote(neighbours, &mut votes);
        assert_eq!(vote(&[]), None);
        assert_eq!(vote(&[at(2, 1.0), at(1, 4.0), at(1, 4.0)]), Some((LabelId(2), 1.0 / 1.5)));
        assert_eq!(vote(&[at(2, 2.0), at(1, 4.0), at(1, 4.0)]), Some((LabelId(1), 0.5)), "equal weight: lower label");
        assert_eq!(vote(&[at(2, 0.0), at(1, 0.1), at(1, 0.1)]), Some((LabelId(2), 1.0)));
        assert_eq!(vote(&[at(1, 0.0), at(1, 0.0), at(2, 0.0)]), Some((LabelId(1), 2.0 / 3.0)));
    }
}
