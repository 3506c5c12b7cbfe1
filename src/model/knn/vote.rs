//! The vote of the nearest points.

use super::{LabelId, Metric, Neighbour, Weighting};

/// The winning label and its share of the weight, 0 to 1; `None` without neighbours.
///
/// Under [`Weighting::Distance`] a neighbour weighs 1 / distance, and neighbours at distance 0 outvote all others, one vote each
/// (as in scikit-learn's `KNeighborsClassifier`); under [`Weighting::Uniform`] each weighs 1. Of labels with equal weight the
/// lowest wins. `votes` is scratch, one place a label, and holds each label's weight afterwards.
pub(in super::super) fn vote(
    neighbours: &[Neighbour],
    (metric, weighting): (Metric, Weighting),
    votes: &mut [f32],
) -> Option<(LabelId, f32)> {
    votes.fill(0.0);
    let exact = neighbours.first()?.reduced == 0.0;
    let mut total = 0.0;
    for neighbour in neighbours {
        let weight = match (weighting, exact, neighbour.reduced == 0.0) {
            (Weighting::Uniform, ..) | (_, true, true) => 1.0,
            (_, true, false) => 0.0,
            (_, false, _) => 1.0 / metric.distance(neighbour.reduced).max(f32::MIN_POSITIVE),
        };
        if let Some(votes) = votes.get_mut(usize::from(neighbour.label.0)) {
            *votes += weight;
            total += weight;
        }
    }
    let (label, weight) = greatest(votes)?;
    Some((label, (weight / total).clamp(0.0, 1.0)))
}

/// The label of the most votes, of equal ones the lowest, and how many; `None` without votes.
pub(in super::super) fn greatest(votes: &[f32]) -> Option<(LabelId, f32)> {
    let mut best: Option<(LabelId, f32)> = None;
    for (label, &weight) in (0..).map(LabelId).zip(votes.iter()) {
        if weight > 0.0 && best.is_none_or(|(_, most)| weight > most) {
            best = Some((label, weight));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_weigh_by_distance_and_an_exact_match_decides() {
        let at = |label: u16, distance: f32| Neighbour { row: 0, label: LabelId(label), reduced: distance * distance };
        let mut votes = [0.0; 3];
        let how = (Metric::L2, Weighting::Distance);
        let mut vote = |neighbours: &[Neighbour]| vote(neighbours, how, &mut votes);
        assert_eq!(vote(&[]), None);
        assert_eq!(vote(&[at(2, 1.0), at(1, 4.0), at(1, 4.0)]), Some((LabelId(2), 1.0 / 1.5)));
        assert_eq!(vote(&[at(2, 2.0), at(1, 4.0), at(1, 4.0)]), Some((LabelId(1), 0.5)), "equal weight: lower label");
        assert_eq!(vote(&[at(2, 0.0), at(1, 0.1), at(1, 0.1)]), Some((LabelId(2), 1.0)));
        assert_eq!(vote(&[at(1, 0.0), at(1, 0.0), at(2, 0.0)]), Some((LabelId(1), 2.0 / 3.0)));
    }

    #[test]
    fn uniform_votes_count_heads_and_metrics_give_their_own_distances() {
        let at = |label: u16, reduced: f32| Neighbour { row: 0, label: LabelId(label), reduced };
        let near_one = [at(2, 0.0), at(1, 1.0), at(1, 9.0)];
        let mut votes = [0.0; 3];
        assert_eq!(vote(&near_one, (Metric::L2, Weighting::Uniform), &mut votes), Some((LabelId(1), 2.0 / 3.0)));
        let two = [at(2, 1.0), at(1, 9.0)];
        assert_eq!(vote(&two, (Metric::L2, Weighting::Distance), &mut votes), Some((LabelId(2), 0.75)));
        assert_eq!(vote(&two, (Metric::L1, Weighting::Distance), &mut votes), Some((LabelId(2), 0.9)));
        assert_eq!(vote(&two, (Metric::Cosine, Weighting::Distance), &mut votes), Some((LabelId(2), 0.9)));
    }
}
