//! [`Access`]: which files a restricted thread may still reach, found from the paths that the program was given.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// What a thread is left with: paths, and each with all that lies beneath it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Files and folders that are read.
    pub read: Vec<PathBuf>,
    /// Folders and files that are appended to: files may be made there, none may be read, cut or removed.
    pub append: Vec<PathBuf>,
    /// Folders where files are put in place whole: files may be made, replaced and removed there.
    pub replace: Vec<PathBuf>,
    /// Folders beneath which folders and files are made, named and removed.
    pub kept: Vec<PathBuf>,
    /// Ports that TCP may connect to, on any host.
    pub connect: Vec<u16>,
    /// Whether host names may be looked up (in a capture filter): UDP stays open for it.
    pub names: bool,
}

impl Access {
    /// Lets a file be read, also one that takes its place.
    pub fn read_file(&mut self, path: &Path) {
        self.read.extend(places(path));
    }

    /// Lets a file be appended to, and made anew after it was moved.
    pub fn append_file(&mut self, path: &Path) {
        self.append.extend(places(path));
    }

    /// Lets a file be put in place whole.
    pub fn replace_file(&mut self, path: &Path) {
        self.replace.extend(places(path));
    }

    /// Lets folders and files be made, renamed and removed beneath a folder that is there.
    pub fn keep_folder(&mut self, path: &Path) {
        self.kept.push(path.to_owned());
    }

    /// Lets the names in a capture filter be looked up: services, protocols, hosts.
    pub fn look_up_names(&mut self) {
        self.names = true;
        self.read.extend(NAME_FILES.iter().map(PathBuf::from));
    }

    /// Folders that files are made in.
    pub fn written_folders(&self) -> impl Iterator<Item = &Path> {
        self.append.iter().chain(&self.replace).chain(&self.kept).map(PathBuf::as_path).filter(|path| path.is_dir())
    }
}

/// The folder of a file, and of what a link leads to, so that it may be replaced. A device or a pipe is meant itself, and so is a
/// file in the root folder: all files lie beneath that.
fn places(path: &Path) -> Vec<PathBuf> {
    let is_special = |path: &Path| {
        fs::metadata(path).is_ok_and(|there| {
            let kind = there.file_type();
            kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket()
        })
    };
    if is_special(path) {
        return vec![path.to_owned()];
    }
    let mut places: Vec<PathBuf> = [Some(path.to_owned()), fs::canonicalize(path).ok()]
        .into_iter()
        .flatten()
        .map(|path| {
            let folder =
                path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
            match folder.and_then(|folder| fs::canonicalize(folder).ok()) {
                Some(folder) if !TOO_WIDE.iter().any(|wide| folder == Path::new(wide)) => folder,
                _ => path,
            }
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Folders that are never given as a whole.
const TOO_WIDE: [&str; 5] = ["/", "/dev", "/proc", "/sys", "/etc"];

/// Where the C library finds services, protocols and hosts.
const NAME_FILES: [&str; 9] = [
    "/etc/services",
    "/etc/protocols",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/etc/networks",
    "/etc/ethers",
    "/etc/gai.conf",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_folder_is_meant_and_that_of_what_a_link_leads_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("it is there");
        let (logs, data) = (root.join("logs"), root.join("data"));
        fs::create_dir(&logs).expect("a folder");
        fs::create_dir(&data).expect("a folder");
        fs::write(data.join("real"), "").expect("a file");
        std::os::unix::fs::symlink(data.join("real"), logs.join("link")).expect("a link");
        assert_eq!(places(&logs.join("link")), [data, logs.clone()]);
        assert_eq!(places(&logs.join("not-yet")), [logs]);
        assert_eq!(places(&root.join("no/such/file")), [root.join("no/such/file")]);
    }

    #[test]
    fn devices_and_files_in_wide_folders_are_meant_themselves() {
        for path in ["/dev/null", "/model.fsm", "/etc/flowshrike.yaml"] {
            assert_eq!(places(Path::new(path)), [PathBuf::from(path)]);
        }
    }
}
