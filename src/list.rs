//! A table of named rows and a sort, for lists of people's sizes: sessions, topics, settings.
//!
//! They are here because the standard map and sort cost 6 to 10 KiB of program for each type of row; these cost a tenth.

use serde::{Serialize, Serializer};
use std::cmp::Ordering;

/// Rows by name, in the order of the names. Finding is as quick as in any map; adding moves the rows behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<T> {
    rows: Vec<(String, T)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { rows: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Without rows.
    pub const fn new() -> Self {
        Table { rows: Vec::new() }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| row.0.as_str().cmp(name))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether there is a row of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// The row of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.place(name).ok().map(|place| &self.rows[place].1)
    }

    /// The row of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.place(name).ok().map(|place| &mut self.rows[place].1)
    }

    /// Adds or replaces a row; returns what was there.
    pub fn insert(&mut self, name: String, row: T) -> Option<T> {
        match self.place(&name) {
            Ok(place) => Some(std::mem::replace(&mut self.rows[place].1, row)),
            Err(place) => {
                self.rows.insert(place, (name, row));
                None
            }
        }
    }

    /// The row of a name, added when there is none.
    pub fn or_default(&mut self, name: &str) -> &mut T
    where
        T: Default,
    {
        let place = self.place(name).unwrap_or_else(|place| {
            self.rows.insert(place, (name.to_owned(), T::default()));
            place
        });
        &mut self.rows[place].1
    }

    /// Takes a row out.
    pub fn remove(&mut self, name: &str) -> Option<T> {
        self.place(name).ok().map(|place| self.rows.remove(place).1)
    }

    /// Keeps the rows that `stays` wants.
    pub fn retain(&mut self, mut stays: impl FnMut(&T) -> bool) {
        self.rows.retain(|row| stays(&row.1));
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.rows.iter().map(|(name, row)| (name, row))
    }

    /// All rows, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut T)> {
        self.rows.iter_mut().map(|row| (&row.0, &mut row.1))
    }

    /// The rows whose names begin with a text.
    pub fn beginning<'a>(&'a self, with: &str) -> impl Iterator<Item = (&'a String, &'a T)> + use<'a, T> {
        let start = self.place(with).unwrap_or_else(|place| place);
        let count = self.rows[start..].iter().take_while(|row| row.0.starts_with(with)).count();
        self.rows[start..start + count].iter().map(|(name, row)| (name, row))
    }

    /// All names.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.rows.iter().map(|row| &row.0)
    }

    /// All rows without their names.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().map(|row| &row.1)
    }
}

impl<T> std::ops::Index<&str> for Table<T> {
    type Output = T;

    fn index(&self, name: &str) -> &T {
        self.get(name).expect("the caller knows that the row exists, as with every index")
    }
}

impl<T> IntoIterator for Table<T> {
    type Item = (String, T);
    type IntoIter = std::vec::IntoIter<(String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl<T> FromIterator<(String, T)> for Table<T> {
    /// Of two rows with one name the later one stays.
    fn from_iter<I: IntoIterator<Item = (String, T)>>(rows: I) -> Self {
        let mut table = Table::new();
        for (name, row) in rows {
            table.insert(name, row);
        }
        table
    }
}

impl<T: Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Rows by number, in their order. Numbers are given in ascending order nearly always, so adding is adding at the end.
#[derive(Debug)]
pub struct Numbered<T> {
    rows: Vec<(u64, T)>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered { rows: Vec::new() }
    }
}

impl<T> Numbered<T> {
    fn place(&self, number: u64) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| row.0.cmp(&number))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of a number.
    pub fn get(&self, number: u64) -> Option<&T> {
        self.place(number).ok().map(|place| &self.rows[place].1)
    }

    /// The row of a number, to be changed.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.place(number).ok().map(|place| &mut self.rows[place].1)
    }

    /// Adds or replaces a row.
    pub fn insert(&mut self, number: u64, row: T) {
        match self.place(number) {
            Ok(place) => self.rows[place].1 = row,
            Err(place) => self.rows.insert(place, (number, row)),
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        self.place(number).ok().map(|place| self.rows.remove(place).1)
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.rows.iter().map(|row| (row.0, &row.1))
    }

    /// All rows, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().map(|row| &mut row.1)
    }

    /// All rows without their numbers.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().map(|row| &row.1)
    }
}

/// Sorts by a key; equal items keep their order.
pub fn sort_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(list, |a, b| key(a).cmp(&key(b)));
}

/// Sorts by a comparison; equal items keep their order.
pub fn sort_by<T>(list: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let order = order(list.len(), &|a, b| compare(&list[a], &list[b]));
    for place in 0..list.len() {
        let mut from = order[place];
        while from < place {
            from = order[from]; // it was swapped away from there
        }
        list.swap(place, from);
    }
}

/// The sorted order of `count` items, as their numbers. The standard sort is linked for this one type.
fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, u32)]) -> Table<u32> {
        rows.iter().map(|(name, row)| ((*name).to_owned(), *row)).collect()
    }

    #[test]
    fn rows_are_found_replaced_and_removed_by_name() {
        let mut t = table(&[("b", 2), ("a", 1), ("c", 3), ("a", 4)]);
        assert_eq!(t.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((t["a"], t.get("b"), t.get("d"), t.len()), (4, Some(&2), None, 3));
        assert_eq!((t.insert("b".into(), 5), t.insert("d".into(), 6)), (Some(2), None));
        *t.or_default("d") += 1;
        *t.or_default("0") += 1;
        assert_eq!((t.remove("a"), t.remove("a"), t.contains_key("b")), (Some(4), None, true));
        assert_eq!(t.values().collect::<Vec<_>>(), [&1, &5, &3, &7]);
        t.retain(|row| *row > 4);
        assert_eq!(t, table(&[("b", 5), ("d", 7)]));
        assert_eq!(serde_json::to_string(&t).unwrap(), r#"{"b":5,"d":7}"#);
    }

    #[test]
    fn a_beginning_finds_all_of_its_names_and_no_other() {
        let t = table(&[("t", 0), ("t:a", 1), ("t:b", 2), ("t1:a", 3), ("s:a", 4), ("t-2:a", 5)]);
        assert_eq!(t.beginning("t:").map(|(_, row)| *row).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(t.beginning("u").count(), 0);
        assert_eq!(t.beginning("").count(), 6);
    }

    #[test]
    fn numbered_rows_stay_in_order() {
        let mut rows = Numbered::default();
        for (number, row) in [(5, 'e'), (9, 'i'), (2, 'b'), (9, 'x')] {
            rows.insert(number, row);
        }
        assert_eq!(
            rows.iter().map(|(number, row)| (number, *row)).collect::<Vec<_>>(),
            [(2, 'b'), (5, 'e'), (9, 'x')]
        );
        rows.values_mut().for_each(|row| *row = row.to_ascii_uppercase());
        assert_eq!(
            (rows.remove(5), rows.remove(5), rows.get(9), rows.get(1)),
            (Some('E'), None, Some(&'X'), None)
        );
        assert_eq!((rows.len(), rows.is_empty(), rows.get_mut(2)), (2, false, Some(&mut 'B')));
    }

    #[test]
    fn sorting_gives_what_the_standard_sort_gives() {
        for seed in 0..200_u32 {
            let numbers = (0..seed % 40).map(|n| (n * n * 7 + seed * 13) % 11).enumerate();
            let mut list: Vec<(usize, u32)> = numbers.collect();
            let mut expected = list.clone();
            expected.sort_by_key(|item| item.1);
            sort_by_key(&mut list, |item| item.1);
            assert_eq!(list, expected, "{seed}");
        }
    }
}
