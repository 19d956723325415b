//! Packs files into one zip archive, streaming: deflate by `miniz_oxide`, the container is written here.
//!
//! What is needed of the format is a page (APPNOTE.TXT of PKWARE, sections 4.3.7 to 4.3.16); libraries bring a table for fast
//! checksums that is larger than all of this. Archives of more than 4 GiB are not made, nor read any.

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZFlush, MZStatus};
use std::fs::File;
use std::io::{self, Read, Write};

/// The usual middle between time and size.
const LEVEL: i32 = 6;
/// Raw deflate, as zip wants it: without the frame of zlib.
const RAW: i32 = -15;
/// Read and written at once.
const PIECE: usize = 32 * 1024;

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
/// With two zeros more each: all is on one disk, the first.
const END: &[u8; 8] = b"PK\x05\x06\0\0\0\0";
/// Unix, version 2.0 of the format: what the permissions mean.
const MADE_BY: [u8; 2] = [20, 3];
/// Version 2.0; sizes come behind the bytes, names are UTF-8; deflate; no time, and the first day that there is, 1980-01-01.
const NEEDED: [u8; 10] = [20, 0, 0x08, 0x08, 8, 0, 0, 0, 0x21, 0];
/// No comment, disk 0, bytes and not text; a plain file that its owner may write and all may read (0o100644).
const BEHIND: [u8; 10] = [0, 0, 0, 0, 0, 0, 0, 0, 0xA4, 0x81];

/// A file to pack: its name, its bytes, and how many of them. One that grows meanwhile would never end.
pub type Item = (String, File, u64);

/// Writes an archive of the files to `to`: at most `max` bytes. Names must be unique.
pub fn pack(to: &File, files: &[Item], max: u64) -> io::Result<()> {
    // no number in the container has more than 32 bits
    let max = max.min(u64::from(u32::MAX));
    let mut to = Capped { to, left: max };
    let table = crc_table();
    let mut directory = Vec::new();
    for (name, file, size) in files {
        let start = max - to.left;
        to.write_all(&header(LOCAL, &[], name, [0; 3])?)?;
        to.write_all(name.as_bytes())?;
        let begin = to.left;
        let mut packer = Deflate::new(&mut to);
        let (crc, length) = feed(&mut packer, &mut file.take(*size), &table)?;
        packer.finish()?;
        let ends = [crc, narrow(begin - to.left)?, narrow(length)?];
        to.write_all(DESCRIPTOR)?;
        ends.iter().try_for_each(|number| to.write_all(&number.to_le_bytes()))?;
        directory.extend(header(CENTRAL, &MADE_BY, name, ends)?);
        directory.extend(BEHIND);
        directory.extend(narrow(start)?.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = narrow(max - to.left)?;
    let count = u16::try_from(files.len()).map_err(io::Error::other)?.to_le_bytes();
    to.write_all(&directory)?;
    let mut end = END.to_vec();
    end.extend(count);
    end.extend(count);
    end.extend(narrow(directory.len() as u64)?.to_le_bytes());
    end.extend(start.to_le_bytes());
    end.extend([0; 2]); // no comment
    to.write_all(&end)
}

/// What begins a file: its own header and its row in the directory are nearly the same.
fn header(signature: &[u8; 4], made_by: &[u8], name: &str, numbers: [u32; 3]) -> io::Result<Vec<u8>> {
    let mut out = signature.to_vec();
    out.extend(made_by);
    out.extend(NEEDED);
    numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
    out.extend(u16::try_from(name.len()).map_err(io::Error::other)?.to_le_bytes());
    out.extend([0; 2]); // no extra fields
    Ok(out)
}

/// The checksum and the length of what went into the packer.
fn feed(packer: &mut Deflate, from: &mut dyn Read, table: &[u32; 256]) -> io::Result<(u32, u64)> {
    let mut piece = vec![0; PIECE];
    let (mut crc, mut length) = (u32::MAX, 0);
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok((!crc, length)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        for byte in &piece[..read] {
            crc = table[usize::from(*byte ^ crc as u8)] ^ (crc >> 8);
        }
        length += read as u64;
        packer.write_all(&piece[..read])?;
    }
}

/// CRC-32 of each single byte. It is made when it is needed: it would be a kilobyte of the program.
fn crc_table() -> [u32; 256] {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    std::array::from_fn(|byte| (0..8).fold(byte as u32, step))
}

fn narrow(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

/// Takes so much and no more.
struct Capped<'a> {
    to: &'a File,
    left: u64,
}

impl Write for Capped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.to.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses what is written to it.
struct Deflate<'a> {
    to: &'a mut dyn Write,
    state: Box<CompressorOxide>,
    piece: Vec<u8>,
}

impl<'a> Deflate<'a> {
    fn new(to: &'a mut dyn Write) -> Deflate<'a> {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, 0);
        Deflate { to, state: Box::new(CompressorOxide::new(flags)), piece: vec![0; PIECE] }
    }

    fn step(&mut self, input: &[u8], flush: MZFlush) -> io::Result<(usize, bool)> {
        let result = deflate(&mut self.state, input, &mut self.piece, flush);
        let status = result.status.map_err(|_| io::Error::other("the compressor failed"))?;
        self.to.write_all(&self.piece[..result.bytes_written])?;
        Ok((result.bytes_consumed, status == MZStatus::StreamEnd))
    }

    fn finish(mut self) -> io::Result<()> {
        while !self.step(&[], MZFlush::Finish)?.1 {}
        Ok(())
    }
}

impl Write for Deflate<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() { Ok(0) } else { self.step(bytes, MZFlush::None).map(|(taken, _)| taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawzip::ZipArchive;
    use std::io::{Seek, SeekFrom};

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    #[test]
    fn what_is_packed_is_found_again() {
        let noise: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let contents = [("a.txt", &b"hello hello hello"[..]), ("测.bin", &noise), ("empty", b"")];
        let files: Vec<_> =
            contents.iter().map(|(n, b)| ((*n).to_owned(), file(b), b.len() as u64)).collect();
        let mut zip = tempfile::tempfile().unwrap();
        pack(&zip, &files, 1 << 30).unwrap();
        zip.seek(SeekFrom::Start(0)).unwrap();
        let mut packed = Vec::new();
        zip.read_to_end(&mut packed).unwrap();
        let archive = ZipArchive::from_slice(&packed).unwrap();
        let mut entries = archive.entries();
        for (name, bytes) in contents {
            let record = entries.next_entry().unwrap().unwrap();
            assert_eq!(record.file_path().as_ref(), name.as_bytes());
            let entry = archive.get_entry(record.wayfinder()).unwrap();
            let unpacked = miniz_oxide::inflate::decompress_to_vec(entry.data()).unwrap();
            let mut checked = Vec::new();
            entry.verifying_reader(&unpacked[..]).read_to_end(&mut checked).unwrap();
            assert_eq!(checked, bytes);
        }
        assert!(entries.next_entry().unwrap().is_none());
    }
    #[test]
    fn neither_a_growing_file_nor_a_large_archive_goes_on_for_ever() {
        // what is there beyond the size has come later
        let grown = [("a".to_owned(), file(b"abcdef"), 3)];
        let mut zip = tempfile::tempfile().unwrap();
        pack(&zip, &grown, 1 << 20).unwrap();
        zip.seek(SeekFrom::Start(0)).unwrap();
        let mut packed = Vec::new();
        zip.read_to_end(&mut packed).unwrap();
        let archive = ZipArchive::from_slice(&packed).unwrap();
        assert_eq!(archive.entries().next_entry().unwrap().unwrap().uncompressed_size_hint(), 3);

        let zip = tempfile::tempfile().unwrap();
        let noise: Vec<u8> =
            (0..100_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let large = [("b".to_owned(), file(&noise), noise.len() as u64)];
        let error = pack(&zip, &large, 50_000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{error}");
        assert!(zip.metadata().unwrap().len() <= 50_000);
    }
}
