//! Recipients' data erased at SendGrid: `POST /v3/recipients/erasejob` (`tsg_recipients_data_erasure_v3.yaml`).

use serde::{Deserialize, Serialize};

use super::{CallError, Client, Patience};

/// Most addresses of a request.
const MOST: usize = 5_000;
/// A request's body is no longer, bytes. SendGrid says 256 kB; what it counts as one is left open, so the narrower.
const BYTES: usize = 256_000;
/// What stands around the addresses: `{"email_addresses":[]}`, generously.
const AROUND: usize = 64;

/// What SendGrid accepted. Its document has no way to ask how far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EraseJob {
    /// SendGrid's id of it.
    #[serde(rename = "job_id")]
    pub id: String,
}

#[derive(Serialize)]
struct Body<'a> {
    email_addresses: &'a [&'a str],
}

/// Cuts addresses into requests within SendGrid's limits; each address once, in their order.
#[must_use]
pub fn erase_requests<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Vec<Vec<&'a str>> {
    let mut seen = std::collections::HashSet::new();
    let mut requests: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for address in addresses {
        if !seen.insert(address) {
            continue;
        }
        // As JSON, with its comma.
        let length = serde_json::to_string(address).map_or(address.len() * 6, |text| text.len()) + 1;
        match requests.last_mut() {
            Some(request) if request.len() < MOST && bytes + length <= BYTES => {
                request.push(address);
                bytes += length;
            }
            _ => {
                requests.push(vec![address]);
                bytes = AROUND + length;
            }
        }
    }
    requests
}

impl Client {
    /// Has SendGrid erase what it holds of these recipients, for the key's account alone (or `on_behalf_of`, not its subusers).
    /// `addresses`: one of [`erase_requests`]. Asked twice, it ends the same, so it is repeated where no answer came.
    ///
    /// # Errors
    /// When SendGrid refuses, or trouble outlasts `patience`. No error holds an address.
    pub async fn erase(&self, addresses: &[&str], patience: &Patience) -> Result<EraseJob, CallError> {
        self.query(&["v3", "recipients", "erasejob"], &Body { email_addresses: addresses }, patience).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_has_five_thousand_addresses_at_most() {
        let many: Vec<String> = (0..12_000).map(|n| format!("{n}@x.org")).collect();
        let requests = erase_requests(many.iter().chain(&many[..10]).map(String::as_str));
        assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [5_000, 5_000, 2_000]);
        assert!(erase_requests([]).is_empty());
    }

    proptest! {
        #[test]
        fn every_address_is_in_one_request_and_no_body_is_too_long(
            lengths in proptest::collection::vec(1_usize..6_000, 0..300),
        ) {
            let addresses: Vec<String> =
                lengths.iter().enumerate().map(|(n, length)| format!("{}\"{n}@example.com", "é".repeat(*length))).collect();
            let requests = erase_requests(addresses.iter().map(String::as_str));
            prop_assert_eq!(requests.concat(), addresses.iter().map(String::as_str).collect::<Vec<_>>());
            for request in &requests {
                let body = serde_json::to_vec(&Body { email_addresses: request }).expect("JSON");
                prop_assert!(body.len() <= BYTES && !request.is_empty());
            }
        }
    }
}
