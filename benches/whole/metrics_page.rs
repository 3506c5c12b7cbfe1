//! The daemon's metrics, as text: sums of counters, and quantiles of histograms.

/// The sum of a metric's series whose line begins so.
pub(super) fn sum(page: &str, begins: &str) -> f64 {
    let values = page.lines().filter(|line| line.starts_with(begins)).filter_map(value);
    values.sum()
}

/// A quantile of a histogram, by the rule of Prometheus: evenly spread inside a bucket. Beyond the last bound it is that bound;
/// of nothing there is none.
pub(super) fn quantile(page: &str, name: &str, quantile: f64) -> Option<f64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP t_seconds x\nt_seconds_bucket{le=\"0.1\"} 50\nt_seconds_bucket{le=\"0.2\"} 100\n\
                        t_seconds_bucket{le=\"+Inf\"} 100\nc_total{a=\"1\"} 2\nc_total{a=\"2\"} 3\n";

    #[test]
    fn quantiles_and_sums_are_read_from_a_page() {
        let close =
            |got: Option<f64>, wanted: f64| assert!(got.is_some_and(|got| (got - wanted).abs() < 1e-9), "{got:?}");
        close(quantile(PAGE, "t_seconds", 0.5), 0.1);
        close(quantile(PAGE, "t_seconds", 0.25), 0.05);
        close(quantile(PAGE, "t_seconds", 0.99), 0.198);
        close(quantile("t_seconds_bucket{le=\"1\"} 0\nt_seconds_bucket{le=\"+Inf\"} 4\n", "t_seconds", 0.99), 1.0);
        assert_eq!(quantile("t_seconds_bucket{le=\"+Inf\"} 0\n", "t_seconds", 0.99), None);
        assert_eq!(sum(PAGE, "c_total"), 5.0);
    }
}
