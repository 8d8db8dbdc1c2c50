//! Repeating what certainly mailed nobody.

use std::time::Duration;

use super::{Client, MailSend, Outcome};
use crate::clock::now_micros;

/// How long and how often to try again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// The first pause; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause of our own; one that SendGrid asks for may be longer.
    pub longest_pause: Duration,
    /// The longest that all pauses together may be; a pause that SendGrid asks for beyond it ends the attempts.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 8,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            longest_wait: Duration::from_secs(300),
        }
    }
}

impl Patience {
    /// The pause after an attempt, from 0, where SendGrid asks for none: between half and the whole, so that several
    /// senders do not come back at once. `random` is anything evenly spread.
    pub(super) fn pause(&self, attempt: u32, random: u8) -> Duration {
        let whole = self.first_pause.saturating_mul(2_u32.saturating_pow(attempt)).min(self.longest_pause);
        whole / 2 + (whole / 2).mul_f64(f64::from(random) / 255.0)
    }
}

impl Client {
    /// Sends one request, again where nobody was mailed for a reason that passes: no connection, or too many requests. What
    /// is uncertain is never repeated.
    pub async fn send_with_patience(&self, mail: &MailSend, patience: &Patience) -> Outcome {
        let Ok(body) = serde_json::to_vec(mail) else {
            return Outcome::NotSent { why: "the request cannot be written as JSON".to_owned() };
        };
        let body = bytes::Bytes::from(body);
        let mut waited = Duration::ZERO;
        // What an earlier answer said counts for this request too.
        let ahead = self.ready_at().saturating_sub(now_micros());
        if let Ok(ahead @ 1..) = u64::try_from(ahead) {
            waited = Duration::from_micros(ahead).min(patience.longest_wait);
            tokio::time::sleep(waited).await;
        }
        let mut attempt = 0;
        loop {
            let outcome = self.send_body(body.clone(), mail.is_sandbox()).await;
            let asked = match &outcome {
                Outcome::TooMany { retry_after } => *retry_after,
                Outcome::NotSent { .. } => None,
                _ => return outcome,
            };
            let pause = asked.unwrap_or_default().max(patience.pause(attempt, random()));
            attempt += 1;
            waited = waited.saturating_add(pause);
            if attempt >= patience.attempts || waited > patience.longest_wait {
                return outcome;
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Without randomness all wait the whole pause, which is no harm.
pub(super) fn random() -> u8 {
    let mut byte = [u8::MAX];
    match aws_lc_rs::rand::fill(&mut byte) {
        Ok(()) => byte[0],
        Err(_) => u8::MAX,
    }
}
