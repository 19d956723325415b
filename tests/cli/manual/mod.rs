//! The manual pages of sections 1 and 5, rendered from the tables of commands, flags and settings. The program does not
//! print them: the pages are files of the repository, and a test keeps them up to date.

mod json;
mod roff;
mod section1;
mod section5;

/// The manual page of section 1 or 5.
pub fn manual(section: u8) -> String {
    if section == 1 { section1::render() } else { section5::render() }
}
