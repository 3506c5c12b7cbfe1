//! The daemon's metrics, as text: sums of counters, and quantiles of histograms.

/// The sum of a metric's series whose line begins so.
pub(crate) fn sum(page: &str, begins: &str) -> f64 {
    let values = page.lines().filter(|line| line.starts_with(begins)).filter_map(value);
    values.sum()
}

/// A quantile of a histogram, by the rule of Prometheus: evenly spread inside a bucket. Beyond the last bound it is that bound;
/// of nothing there is none.
pub(crate) fn quantile(page: &str, name: &str, quantile: f64) -> Option<f64> {
    let begins = format!("{name}_bucket{{le=\"");
    let mut buckets: Vec<(f64, f64)> = page
        .lines()
        .filter_map(|line| {
            let bound = line.strip_prefix(&begins)?.split('"').next()?;
            Some((if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? }, value(line)?))
        })
        .collect();
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let rank = quantile * buckets.last().filter(|(_, count)| *count > 0.0)?.1;
    let (mut lower, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if count >= rank {
            let inside = if count > below { (rank - below) / (count - below) } else { 1.0 };
            return Some(if bound.is_finite() { lower + (bound - lower) * inside } else { lower });
        }
        (lower, below) = (bound, count);
    }
    None
}

fn value(line: &str) -> Option<f64> {
    line.rsplit(' ').next()?.parse().ok()
}
