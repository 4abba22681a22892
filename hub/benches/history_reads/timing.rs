//! How long something takes, asked over and over.

use std::time::Instant;

/// Sorted milliseconds.
#[derive(Default)]
pub struct Times(Vec<f64>);

impl Times {
    /// Of `count` questions, one after the other; the first three are not counted.
    pub async fn of<F: Future<Output = ()>>(count: usize, ask: impl Fn(usize) -> F) -> Self {
        let mut all = Vec::new();
        for n in 0..count + 3 {
            let began = Instant::now();
            ask(n).await;
            all.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        let mut counted = all.split_off(3);
        counted.sort_unstable_by(f64::total_cmp);
        Self(counted)
    }

    /// "p50, p99".
    pub fn words(&self) -> String {
        let ms = |place: usize| self.0.get(place.min(self.0.len() - 1)).copied().unwrap_or(0.0);
        format!("{:.1}, {:.1}", ms(self.0.len() / 2), ms(self.0.len() * 99 / 100))
    }
}

/// A table as documents have it: a line for each question, a column for each size.
pub fn table(head: &str, sizes: &[String], lines: &[(String, Vec<String>)]) {
    println!("| {head} | {} |\n|---|{}", sizes.join(" | "), "---|".repeat(sizes.len()));
    for (question, times) in lines {
        println!("| {question} | {} |", times.join(" | "));
    }
    println!();
}
