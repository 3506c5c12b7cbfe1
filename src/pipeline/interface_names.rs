//! [`InterfaceNames`]: what the interfaces are called whose numbers packets carry. They grow as interfaces come.

use std::sync::{Arc, PoisonError, RwLock};

/// Names by number, shared by who captures and who writes alerts. A number keeps its name: flows outlive their interface.
#[derive(Clone, Debug, Default)]
pub(super) struct InterfaceNames(Arc<RwLock<Vec<Arc<str>>>>);

impl InterfaceNames {
    /// Gives a name its number, the one that it had before if there is one; none once all numbers are given.
    pub(super) fn add(&self, name: &str) -> Option<u16> {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = names.iter().position(|known| **known == *name);
        let number = u16::try_from(known.unwrap_or(names.len())).ok()?;
        if known.is_none() {
            names.push(name.into());
        }
        Some(number)
    }

    pub(super) fn get(&self, number: u16) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(usize::from(number)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_there_are_65536_of_them() {
        let names = InterfaceNames::default();
        assert_eq!((names.add("cali1"), names.add("cali2"), names.add("cali1")), (Some(0), Some(1), Some(0)));
        assert_eq!(names.get(1).as_deref(), Some("cali2"));
        assert_eq!(names.get(2), None);
        for n in 2..=u32::from(u16::MAX) {
            names.add(&n.to_string());
        }
        assert_eq!((names.add("one more"), names.add("cali2")), (None, Some(1)));
    }
}
