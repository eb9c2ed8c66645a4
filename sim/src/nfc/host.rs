//! What a host may ask a PN532 for (NXP UM0701-02, 7).
//!
//! What is it: the chip's commands, each answered at once or left to run. Who calls it:
//! [`super::field`]. What can go wrong: any bytes behind a command; what is too short is an error
//! of syntax, as the chip has it. Registers are kept and not acted upon.

use super::chip::{FINE, FIRMWARE, Guise, Running, Sought};
use super::field::Field;
use super::frame::ERROR;

impl Field {
    /// Does what the host of this chip asks for.
    pub(super) fn obey(&mut self, chip: usize, code: u8, parameters: &[u8]) {
        if let Some(one) = self.chips.get_mut(chip) {
            one.code = code;
        }
        if self.carry_out(chip, code, parameters).is_none() {
            self.say_raw(chip, &ERROR);
        }
    }

    /// `None`: an error of syntax.
    fn carry_out(&mut self, chip: usize, code: u8, parameters: &[u8]) -> Option<()> {
        let one = self.chips.get_mut(chip)?;
        match code {
            // Diagnose: an echo, or "well".
            0x00 => {
                let (test, _) = parameters.split_first()?;
                let told = if *test == 0 { parameters } else { &[FINE] };
                self.say(chip, told);
            }
            0x02 => self.say(chip, &FIRMWARE),
            // GetGeneralStatus.
            0x04 => {
                let held = u8::from(one.holds.is_some());
                let mut told = vec![FINE, 1, held];
                if held == 1 {
                    told.extend_from_slice(&[1, 0, 0, 0x10]);
                }
                told.push(0x80);
                self.say(chip, &told);
            }
            // ReadRegister, WriteRegister.
            0x06 => {
                let (pairs, []) = parameters.as_chunks::<2>() else {
                    return None;
                };
                let values = pairs.iter().map(|at| one.register(u16::from_be_bytes(*at)));
                let values: Vec<u8> = values.collect();
                self.say(chip, &values);
            }
            0x08 => {
                let (triples, []) = parameters.as_chunks::<3>() else {
                    return None;
                };
                for [high, low, value] in triples {
                    let at = u16::from_be_bytes([*high, *low]);
                    one.registers.insert(at, *value);
                }
                self.say(chip, &[]);
            }
            // ReadGPIO; WriteGPIO, SetSerialBaudRate, SAMConfiguration.
            0x0c => self.say(chip, &[0, 0, 0]),
            0x0e | 0x10 | 0x14 => self.say(chip, &[]),
            0x12 => {
                one.parameters = *parameters.first()?;
                self.say(chip, &[]);
            }
            // PowerDown: whoever is held is let go.
            0x16 => {
                self.let_go(chip);
                self.leave(chip);
                self.say(chip, &[FINE]);
            }
            0x32 => {
                match *parameters {
                    // The field off.
                    [1, state] if state & 1 == 0 => {
                        one.found = None;
                        self.let_go(chip);
                    }
                    [5, jump, _, passive] => one.retries = Some((passive, jump)),
                    [] => return None,
                    _ => {}
                }
                self.say(chip, &[]);
            }
            0x40 => return self.data_exchange(chip, parameters),
            0x42 => self.exchange_raw(chip, parameters),
            // InDeselect, InRelease; InSelect, InPSL.
            0x44 | 0x52 => {
                self.let_go(chip);
                self.say(chip, &[FINE]);
            }
            0x4e | 0x54 => self.say(chip, &[FINE]),
            0x4a => {
                let &[most, kind, ..] = parameters else {
                    return None;
                };
                one.registers.remove(&super::chip::RX_MODE);
                one.registers.remove(&super::chip::TX_MODE);
                // Of all kinds there is only the first one here.
                if kind == 0 && most > 0 {
                    self.seek(chip, Sought::List);
                } else {
                    self.say(chip, &[0]);
                }
            }
            0x60 => {
                let [_, _, kinds @ ..] = parameters else {
                    return None;
                };
                if kinds.iter().any(|kind| matches!(kind, 0 | 0x10 | 0x20)) {
                    self.seek(chip, Sought::Poll);
                } else {
                    self.say(chip, &[0]);
                }
            }
            // InJumpForDEP, InJumpForPSL.
            0x56 | 0x46 => {
                let &[active, rate, ..] = parameters else {
                    return None;
                };
                let active = active != 0;
                self.seek(chip, Sought::Dep { active, rate });
            }
            _ => return self.as_card(chip, code, parameters),
        }
        Some(())
    }

    fn data_exchange(&mut self, chip: usize, parameters: &[u8]) -> Option<()> {
        let (target, data) = parameters.split_first()?;
        let one = self.chips.get_mut(chip)?;
        one.meta.extend_from_slice(data);
        // More comes (MI): the card hears it in one.
        if target & 0x40 != 0 {
            if one.meta.len() > 4096 {
                one.meta.clear();
                return None;
            }
            self.say(chip, &[FINE]);
            return Some(());
        }
        let whole = std::mem::take(&mut one.meta);
        self.exchange(chip, false, &whole);
        Some(())
    }

    /// What a card's host asks for.
    fn as_card(&mut self, chip: usize, code: u8, parameters: &[u8]) -> Option<()> {
        match code {
            0x8c => {
                let guise = Guise::read(parameters)?;
                self.let_go(chip);
                self.leave(chip);
                self.chips.get_mut(chip)?.running = Some(Running::BeTarget(guise));
            }
            0x86 | 0x88 => {
                let one = self.chips.get_mut(chip)?;
                if one.is.is_none() {
                    self.say(chip, &[super::chip::RELEASED]);
                } else {
                    one.running = Some(Running::GetData);
                    self.fetch(chip);
                }
            }
            0x8e | 0x90 => {
                let one = self.chips.get_mut(chip)?;
                let mut whole = std::mem::take(&mut one.meta);
                whole.extend_from_slice(parameters);
                self.answer(chip, whole);
            }
            // TgSetMetaData: a piece of an answer.
            0x94 => {
                let one = self.chips.get_mut(chip)?;
                if one.meta.len() > 4096 {
                    one.meta.clear();
                    return None;
                }
                one.meta.extend_from_slice(parameters);
                self.say(chip, &[FINE]);
            }
            // TgGetTargetStatus, TgSetGeneralBytes.
            0x8a => {
                let state = if self.chips.get(chip)?.is.is_some() {
                    1
                } else {
                    0
                };
                self.say(chip, &[state, 0]);
            }
            0x92 => self.say(chip, &[FINE]),
            _ => return None,
        }
        Some(())
    }
}
