//! Python's generator of random numbers: what a seed gives there, it gives here.
//!
//! MT19937 by Matsumoto and Nishimura, seeded and read as CPython's `random` does.

use sha2::{Digest, Sha512};

const SIZE: usize = 624;
const SHIFT: usize = 397;

/// A sequence of numbers that a seed decides.
pub(crate) struct Twister {
    state: [u32; SIZE],
    at: usize,
}

impl Twister {
    /// Python's `random.seed(text)`.
    pub(crate) fn of_text(text: &str) -> Twister {
        let mut bytes = text.as_bytes().to_vec();
        bytes.extend(Sha512::digest(text.as_bytes()));
        bytes.reverse();
        let word = |four: &[u8]| four.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let mut key: Vec<u32> = bytes.chunks(4).map(word).collect();
        while key.len() > 1 && key.last() == Some(&0) {
            key.pop();
        }
        Twister::of_key(&key)
    }

    /// Python's `random.seed(number)`.
    pub(crate) fn of_number(number: i128) -> Twister {
        let mut rest = number.unsigned_abs();
        let mut key = Vec::new();
        while rest > 0 || key.is_empty() {
            key.push(low(rest));
            rest >>= 32;
        }
        Twister::of_key(&key)
    }

    /// Python's `random.seed(number)` with a float that is a number: by Python's hash of it.
    pub(crate) fn of_float(number: f64) -> Twister {
        Twister::of_number(i128::from(hash(number).cast_unsigned()))
    }

    fn of_key(key: &[u32]) -> Twister {
        let mut state = [0; SIZE];
        state[0] = 19_650_218;
        for at in 1..SIZE {
            state[at] = mixed(state[at - 1]).wrapping_mul(1_812_433_253).wrapping_add(count(at));
        }
        let (mut at, mut used) = (1, 0);
        for _ in 0..SIZE.max(key.len()) {
            let before = mixed(state[at - 1]).wrapping_mul(1_664_525);
            state[at] = (state[at] ^ before).wrapping_add(key[used]).wrapping_add(count(used));
            used = (used + 1) % key.len();
            at = following(&mut state, at);
        }
        for _ in 1..SIZE {
            let before = mixed(state[at - 1]).wrapping_mul(1_566_083_941);
            state[at] = (state[at] ^ before).wrapping_sub(count(at));
            at = following(&mut state, at);
        }
        state[0] = 0x8000_0000;
        Twister { state, at: SIZE }
    }

    fn next(&mut self) -> u32 {
        if self.at == SIZE {
            for at in 0..SIZE {
                let joined =
                    self.state[at] & 0x8000_0000 | self.state[(at + 1) % SIZE] & 0x7fff_ffff;
                let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[at] = self.state[(at + SHIFT) % SIZE] ^ (joined >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut word = self.state[self.at];
        self.at += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn bits(&mut self, count: u32) -> u64 {
        let short = |twister: &mut Twister, count: u32| u64::from(twister.next() >> (32 - count));
        if count <= 32 {
            return short(self, count);
        }
        let low = u64::from(self.next());
        low | short(self, count - 32) << 32
    }

    /// A number below a limit that is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        let count = 64 - limit.leading_zeros();
        loop {
            let found = self.bits(count);
            if found < limit {
                return found;
            }
        }
    }

    /// The places of a sample of `size` out of `len`, which is not smaller: Python's `sample`.
    pub(crate) fn sample(&mut self, len: usize, size: usize) -> Vec<usize> {
        let mut below = |limit: usize| {
            let found = self.below(u64::try_from(limit).unwrap_or(u64::MAX));
            usize::try_from(found).unwrap_or_default()
        };
        if len <= small(size) {
            let mut pool: Vec<usize> = (0..len).collect();
            return (0..size)
                .map(|done| {
                    let at = below(len - done);
                    let last = pool[len - done - 1];
                    std::mem::replace(&mut pool[at], last)
                })
                .collect();
        }
        let mut seen = std::collections::HashSet::new();
        let fresh = |_| loop {
            let at = below(len);
            if seen.insert(at) {
                return at;
            }
        };
        (0..size).map(fresh).collect()
    }
}

/// Python's hash of a float: its value modulo the prime 2^61 - 1.
fn hash(number: f64) -> i64 {
    const PRIME: u128 = (1 << 61) - 1;
    let bits = number.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let mantissa = if exponent == 0 { fraction } else { fraction | (1 << 52) };
    // The power of two behind the mantissa is the exponent less 1075; powers repeat every 61.
    let power = (exponent.max(1) + 61 * 18 - 1075) % 61;
    let size = match number.is_finite() {
        true => (u128::from(mantissa) << power) % PRIME,
        false => 314_159,
    };
    let size = i64::try_from(size).unwrap_or_default();
    match if number < 0.0 { -size } else { size } {
        -1 => -2,
        hash => hash,
    }
}

/// How many items Python rather copies than notes which of them it took.
fn small(size: usize) -> usize {
    let mut table = 1;
    while size > 5 && table < size * 3 {
        table *= 4;
    }
    if size > 5 { 21 + table } else { 21 }
}

fn mixed(word: u32) -> u32 {
    word ^ (word >> 30)
}

fn low(number: u128) -> u32 {
    u32::try_from(number & u128::from(u32::MAX)).unwrap_or_default()
}

fn count(at: usize) -> u32 {
    u32::try_from(at).unwrap_or_default()
}

fn following(state: &mut [u32; SIZE], at: usize) -> usize {
    if at + 1 < SIZE {
        return at + 1;
    }
    state[0] = state[SIZE - 1];
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_what_it_gives_in_python() {
        let of = |text: &str, limit| Twister::of_text(text).below(limit);
        assert_eq!([of("w1", 60), of("web-17.example.org", 1440), of("", 10)], [5, 644, 7]);
        let of = |number, limit| Twister::of_number(number).below(limit);
        assert_eq!([of(0, 100), of(-42, 1 << 40), of(1 << 70, 1000)], [49, 247559453085, 238]);
        let hashes = [1.5, 2.0, 0.1, -3.25, f64::INFINITY, 1e300, 5e-324, -0.0, -1.0].map(hash);
        let (tenth, quarter) = (230_584_300_921_369_408, -576_460_752_303_423_491);
        let large = 1_224_995_262_755_759_164;
        let wanted = [(1 << 60) + 1, 2, tenth, quarter, 314_159, large, 16_777_216, 0, -2];
        assert_eq!(hashes, wanted);
        let of = |number| Twister::of_float(number).below(1 << 40);
        assert_eq!([of(1.5), of(-1.0)], [318_927_491_352, 234_984_705_870]);
        assert_eq!(Twister::of_number(7).sample(10, 10), [5, 2, 6, 9, 0, 7, 4, 1, 3, 8]);
        assert_eq!(Twister::of_number(7).sample(1000, 6), [331, 970, 154, 404, 666, 49]);
    }
}
