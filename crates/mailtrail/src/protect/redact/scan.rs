//! One pass over a text that says which forms of an address it can hold at all.

/// What the pass saw.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Scan {
    at: bool,
    percent: bool,
    ampersand: bool,
    non_ascii: bool,
    pub(super) equals: bool,
    pub(super) longest_hex: usize,
    pub(super) longest_base64: usize,
}

const AT: u8 = 1;
const PERCENT: u8 = 2;
const AMPERSAND: u8 = 4;
const NON_ASCII: u8 = 8;
const EQUALS: u8 = 16;
const HEX: u8 = 32;
const BASE64: u8 = 64;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = match b {
            b'@' => AT,
            b'%' => PERCENT,
            b'&' => AMPERSAND,
            b'=' => EQUALS,
            b'+' | b'/' | b'-' | b'_' => BASE64,
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => HEX | BASE64,
            b'g'..=b'z' | b'G'..=b'Z' => BASE64,
            0x80.. => NON_ASCII,
            _ => 0,
        };
        byte += 1;
    }
    table
}

impl Scan {
    /// Runs of digits are told only where one can be as long as `shortest_run`.
    pub(super) fn of(text: &[u8], shortest_run: usize) -> Self {
        let mut scan = Self::default();
        let seen = text.iter().fold(0, |seen, byte| seen | CLASSES[usize::from(*byte)]);
        if text.len() >= shortest_run {
            let (mut hex, mut base64) = (0, 0);
            for byte in text {
                let class = CLASSES[usize::from(*byte)];
                hex = if class & HEX != 0 { hex + 1 } else { 0 };
                base64 = if class & BASE64 != 0 { base64 + 1 } else { 0 };
                scan.longest_hex = scan.longest_hex.max(hex);
                scan.longest_base64 = scan.longest_base64.max(base64);
            }
        }
        scan.at = seen & AT != 0;
        scan.percent = seen & PERCENT != 0;
        scan.ampersand = seen & AMPERSAND != 0;
        scan.non_ascii = seen & NON_ASCII != 0;
        scan.equals = seen & EQUALS != 0;
        scan
    }

    /// Escapes that may hide anything.
    pub(super) fn may_be_escaped(&self) -> bool {
        self.percent || self.ampersand
    }

    /// An `@`, or bytes that its full-width form, or a letter of the address, may be part of.
    pub(super) fn may_hold_shaped(&self) -> bool {
        self.at || self.non_ascii
    }
}
