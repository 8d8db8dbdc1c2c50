//! A password that needs no escaping anywhere: not in a URL, not in TOML, not in a shell.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// 32 characters of 62 hold 190 bits.
const LENGTH: usize = 32;

/// Makes a random one.
pub(super) fn generate() -> anyhow::Result<Zeroizing<String>> {
    let mut password = Zeroizing::new(String::with_capacity(LENGTH));
    let mut random = Zeroizing::new([0u8; 64]);
    while password.len() < LENGTH {
        aws_lc_rs::rand::fill(random.as_mut_slice())
            .map_err(|_| anyhow::anyhow!("the system gives no random numbers; without them no password can be made"))?;
        // Bytes beyond the largest multiple of 62 would make some characters likelier than others.
        let fair = random.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < 248);
        for byte in fair.take(LENGTH - password.len()) {
            password.push(char::from(ALPHABET[byte % ALPHABET.len()]));
        }
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_plain_and_never_the_same() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.len(), LENGTH);
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric()), "not plain");
        assert_ne!(*one, *other);
    }
}
