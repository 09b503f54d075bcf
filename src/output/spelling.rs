//! How values are spelled in the text formats: numbers, times, and characters that must not be shown as they are.
//! Comes in: a value of a cell. Goes out: bytes appended to a buffer.
//! Nothing here knows CSV or JSON.

use jiff::civil::date;
use jiff::fmt::StdIoWrite;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::{SignedDuration, Timestamp, tz};

/// Milliseconds are always written, so that every timestamp of a column has the same width.
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Appends a number in decimal.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        let digit = u8::try_from(number % 10).expect("a remainder of ten is below ten");
        out.push(b'0' + digit);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// Appends milliseconds since 1970 as RFC 3339 with milliseconds, in UTC. False, and nothing appended, for a time outside
/// the years 0 to 9999, which RFC 3339 cannot write.
pub(super) fn push_time(out: &mut Vec<u8>, ms: i64) -> bool {
    // A certificate without an end says 9999-12-31T23:59:59Z (RFC 5280 §4.1.2.5), which `Timestamp` cannot hold.
    let civil = match Timestamp::from_millisecond(ms) {
        Ok(timestamp) => tz::Offset::UTC.to_datetime(timestamp),
        Err(_) => match date(1970, 1, 1).at(0, 0, 0, 0).checked_add(SignedDuration::from_millis(ms)) {
            Ok(civil) => civil,
            Err(_) => return false,
        },
    };
    if civil.year() < 0 {
        return false;
    }
    PRINTER.print_datetime(&civil, StdIoWrite(&mut *out)).expect("writing to a vector cannot fail");
    out.push(b'Z');
    true
}

/// Milliseconds since 1970 as RFC 3339 text in UTC; None outside the years 0 to 9999.
pub fn rfc3339(ms: i64) -> Option<String> {
    let mut out = Vec::with_capacity(24);
    push_time(&mut out, ms).then(|| String::from_utf8(out).expect("a timestamp is ASCII"))
}

/// Whether a character could steer a terminal or turn the text around it: controls, line and paragraph separators, and
/// the marks of the bidirectional algorithm (Unicode TR 9 §2).
pub fn is_dangerous(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether a text is printable ASCII throughout, which nearly every text is.
pub(super) fn is_plain(text: &str) -> bool {
    // Without a way out of the loop it compiles to vector instructions; texts are short.
    text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_milliseconds_and_zulu() {
        assert_eq!(rfc3339(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(rfc3339(1_721_039_445_007).as_deref(), Some("2024-07-15T10:30:45.007Z"));
        assert_eq!(rfc3339(-1).as_deref(), Some("1969-12-31T23:59:59.999Z"));
    }

    #[test]
    fn a_certificate_without_end_has_a_time() {
        assert_eq!(rfc3339(253_402_300_799_000).as_deref(), Some("9999-12-31T23:59:59.000Z"));
    }

    #[test]
    fn a_time_that_rfc_3339_cannot_write_is_none() {
        assert_eq!(rfc3339(i64::MAX), None);
        assert_eq!(rfc3339(i64::MIN), None);
        assert_eq!(rfc3339(-62_167_219_200_001), None);
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            let mut out = b"x".to_vec();
            push_number(&mut out, number);
            assert_eq!(out, format!("x{number}").as_bytes());
        }
    }
}
