//! Bytes that are spoiled by chance, and the same chance at every run.

/// Random enough, and the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// Does one bad thing to some bytes.
pub fn spoil(data: &mut Vec<u8>, dice: &mut Dice) {
    if data.is_empty() {
        return;
    }
    let at = dice.below(data.len() as u64) as usize;
    let until = (at + 1 + dice.below(64) as usize).min(data.len());
    match dice.below(7) {
        0 => data[at] ^= 1 << dice.below(8),
        1 => data[at..until].fill(0xFF),
        2 => data[at..until].fill(0),
        3 => drop(data.drain(at..until)),
        4 => {
            let again = data[at..until].to_vec();
            data.splice(at..at, again);
        }
        5 => {
            let noise: Vec<u8> = (0..=dice.below(300)).map(|_| dice.below(256) as u8).collect();
            data.splice(at..at, noise);
        }
        // A number becomes a very large one.
        _ => {
            for byte in data[at..].iter_mut().filter(|b| b.is_ascii_digit()).take(6) {
                *byte = b'9';
            }
        }
    }
}
