//! One form for ES256 signatures: of `(r, s)` and `(r, n − s)`, which both verify, only the lower `s` is ours.

/// The order of P-256's group (FIPS 186-5, appendix; SEC 2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Whether `s`, the second half of the signature, is the lower of the two: `s ≤ n − s`.
pub(super) fn is_low(signature: &[u8; 64]) -> bool {
    let s = second_half(signature);
    s <= negated(s)
}

/// The same signature with the lower `s`.
pub(super) fn lowered(mut signature: [u8; 64]) -> [u8; 64] {
    let s = second_half(&signature);
    let low = s.min(negated(s));
    signature[32..].copy_from_slice(&low);
    signature
}

fn second_half(signature: &[u8; 64]) -> [u8; 32] {
    let mut s = [0; 32];
    s.copy_from_slice(&signature[32..]);
    s
}

/// `n − s`, big-endian. Signatures are public, so this need not take constant time.
fn negated(s: [u8; 32]) -> [u8; 32] {
    let mut difference = [0; 32];
    let mut borrow = false;
    for i in (0..32).rev() {
        let (digit, first) = ORDER[i].overflowing_sub(s[i]);
        let (digit, second) = digit.overflowing_sub(u8::from(borrow));
        difference[i] = digit;
        borrow = first || second;
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_s(s: [u8; 32]) -> [u8; 64] {
        let mut signature = [7; 64];
        signature[32..].copy_from_slice(&s);
        signature
    }

    /// Exactly one of `s` and `n − s` is low, the boundary lies at half the order, and `r` is never touched.
    #[test]
    fn exactly_one_form_is_low() {
        let mut one = [0; 32];
        one[31] = 1;
        let mut half = [0; 32]; // (n − 1) / 2
        let mut carry = 0;
        for i in 0..32 {
            half[i] = (ORDER[i] >> 1) | carry;
            carry = (ORDER[i] & 1) << 7;
        }
        for low in [one, half] {
            assert!(is_low(&with_s(low)) && !is_low(&with_s(negated(low))));
            assert_eq!(negated(negated(low)), low);
            assert_eq!(lowered(with_s(negated(low))), with_s(low));
            assert_eq!(lowered(with_s(low)), with_s(low));
        }
        assert_eq!(u16::from(negated(half)[31]), u16::from(half[31]) + 1);
    }
}
