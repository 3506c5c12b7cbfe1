//! How far a flow is from everything benign that the model knows, and which features make it so.

use super::Telling;
use super::knn::Metric;
use super::transform::Transform;
use crate::features::FeatureId;

/// The features that tell a query from its nearest benign point, greatest first; `None` where fewer differ.
///
/// `query` and `benign` are points of the transformed space, `row` the raw values behind the query.
pub(super) fn telling(
    (transform, metric): (&Transform, Metric),
    features: &[FeatureId],
    row: &[f64],
    query: &[f32],
    benign: &[f32],
) -> [Option<Telling>; TELLING] {
    let mut top = [None::<Telling>; TELLING];
    let each = transform.coordinates();
    let parts = query.chunks_exact(each).zip(benign.chunks_exact(each)).take(features.len());
    for ((&feature, &value), (a, b)) in features.iter().zip(row).zip(parts) {
        let mut telling = Telling { feature, value, distance: metric.distance(metric.reduced(a, b)) };
        if telling.distance <= 0.0 {
            continue;
        }
        // Insertion keeps the order, and of equal ones the earlier feature first.
        for place in &mut top {
            match place {
                None => {
                    *place = Some(telling);
                    break;
                }
                Some(held) if held.distance < telling.distance => std::mem::swap(held, &mut telling),
                Some(_) => {}
            }
        }
    }
    top
}

/// How many features an explanation names: an analyst reads three, and the fourth has rarely told more.
pub const TELLING: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::transform::{QuantileMap, Scaling};

    #[test]
    fn the_greatest_differences_come_first_and_equal_features_are_left_out() {
        let map = QuantileMap::fit((0..11).map(f64::from), 500);
        let transform = Transform::new(Scaling::Quantile(vec![map; 5]), vec![0.0; 5]);
        let features: Vec<_> = FeatureId::all().take(5).collect();
        let row = [0.0, 5.0, 12.0, 1.0, 3.0];
        let (mut query, mut benign) = (Vec::new(), Vec::new());
        transform.apply(&row, &mut query);
        transform.apply(&[0.0; 5], &mut benign);
        let top = telling((&transform, Metric::L2), &features, &row, &query, &benign)
            .map(|t| t.map(|t| (t.feature, t.value)));
        assert_eq!(top, [Some((features[2], 12.0)), Some((features[1], 5.0)), Some((features[4], 3.0))]);
        let same = telling((&transform, Metric::L2), &features, &row, &query, &query);
        assert_eq!(same, [None; TELLING]);
    }
}
