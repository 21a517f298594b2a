//! What differs between operating systems: file identity, careful opening, private files, what a path is mounted on.
//! Nothing here knows what the files are for.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// What a file system says of a file. Two equal values mean that the file was not touched, as far as it can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStat {
    /// 0 where the system tells no device (Windows).
    pub device: u64,
    /// The inode; on Windows, where the standard library tells no file index, the creation time.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Last change of the content, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of content, name or rights, in nanoseconds since 1970; 0 on Windows.
    pub ctime_ns: i64,
}

impl From<&Metadata> for FileStat {
    fn from(metadata: &Metadata) -> Self {
        system::stat(metadata)
    }
}

/// Opens a regular file for reading, without following a symbolic link at its end and without ever waiting for a FIFO
/// or a device. Other processes may write, rename and delete it meanwhile.
pub fn open_regular(path: &Path) -> io::Result<(File, FileStat)> {
    let file = system::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, FileStat::from(&metadata)))
}

/// Creates a directory and its missing parents for the owner alone (0700). An existing directory keeps its mode.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    system::make_private_dir(&mut builder);
    builder.create(path)
}

/// Creates a new file that only the owner may read and write (0600); an error if it exists, even as a dangling link.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    system::make_private_file(&mut options);
    options.open(path)
}

/// Opens a file for appending, and makes it for its owner alone (0600) if it is not there. What is no regular file is
/// not written to.
pub fn append_private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.append(true).create(true);
    system::make_private_file(&mut options);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Takes all rights to an existing file from everybody but its owner (0600). Windows inherits them from the directory.
pub fn restrict_file(path: &Path) -> io::Result<()> {
    system::restrict(path)
}

/// Whether anybody but the owner has rights to an open file. Windows does not say.
pub fn is_shared(file: &File) -> io::Result<bool> {
    Ok(system::is_shared(&file.metadata()?))
}

/// Puts a new content in the place of a file, or makes it: for the owner alone (0600), and at every moment either the old
/// or the new one, whole. One at a time for each path.
pub fn replace_private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_private_file(&new)?;
    io::Write::write_all(&mut file, content)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

/// Lets this process have as many files and sockets open as it may, rather than as many as is usual.
pub fn raise_open_files() -> io::Result<()> {
    system::raise_open_files()
}

/// What a path is mounted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// As the system names it: `ext4`, `nfs4`, `virtiofs`; `unknown` where it cannot be told.
    pub name: String,
    /// Served by something other than this kernel: change notifications, locks and shared memory cannot be trusted.
    pub network: bool,
}

/// The file system of a path or, while it does not exist, of its nearest existing parent.
pub fn file_system(path: &Path) -> FileSystem {
    let name = nearest_existing(path).and_then(|path| system::file_system_name(&path));
    let name = name.unwrap_or_else(|| "unknown".to_owned());
    FileSystem { network: is_network(&name), name }
}

/// Bytes that this user may still write where the path is; `None` where it cannot be told.
pub fn free_bytes(path: &Path) -> Option<u64> {
    system::free_bytes(&nearest_existing(path)?)
}

/// The path's own bytes where the system has such (Unix), else its text: what a path is remembered by.
pub fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

/// The path that [`path_bytes`] was made of.
pub fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    system::path_from_bytes(bytes)
}

fn nearest_existing(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|parent| {
        // A relative path ends in the empty one, which stands for the working directory.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        parent.canonicalize().ok()
    })
}

/// File systems whose other side is another machine or another kernel. FUSE counts as a whole: it carries sshfs, the
/// shares of container engines and cloud drives, and what is local among it only loses speed. `fuseblk` is a local disk.
fn is_network(name: &str) -> bool {
    const NETWORK: [&str; 27] = [
        "9p",
        "afpfs",
        "afs",
        "autofs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "drvfs",
        "fakeowner",
        "fuse",
        "gpfs",
        "grpcfuse",
        "lustre",
        "macfuse",
        "ncpfs",
        "osxfuse",
        "prl_fs",
        "smb3",
        "smbfs",
        "unc",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
        "webdav",
        "wslfs",
    ];
    let name = name.to_ascii_lowercase();
    name.starts_with("nfs") || name.starts_with("fuse.") || NETWORK.contains(&name.as_str())
}

/// The mount that a canonical path is on, out of `/proc/self/mountinfo`: the longest mount point that holds the path,
/// and of several on the same point the last, which covers the others. Format: `man 5 proc_pid_mountinfo`.
#[cfg(any(target_os = "linux", test))]
fn mounted_on(mountinfo: &[u8], path: &Path) -> Option<String> {
    let mut best = None::<(usize, &[u8])>;
    for line in mountinfo.split(|byte| *byte == b'\n') {
        // id, parent, major:minor, root, mount point, options, optional fields, "-", type, source, super options.
        let mut fields = line.split(|byte| *byte == b' ');
        let Some(point) = fields.nth(4) else { continue };
        let Some(kind) = fields.skip_while(|field| *field != b"-").nth(1) else { continue };
        let point = path_from_bytes(&unescape_octal(point));
        let length = point.as_os_str().len();
        if path.starts_with(&point) && best.is_none_or(|(longest, _)| length >= longest) {
            best = Some((length, kind));
        }
    }
    best.map(|(_, kind)| String::from_utf8_lossy(kind).into_owned())
}

/// The table writes blanks, tabs, newlines and backslashes in names as `\` and three octal digits.
#[cfg(any(target_os = "linux", test))]
fn unescape_octal(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] if *first == b'\\' => {
                out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = tail;
            }
            _ => out.push(*first),
        }
    }
    out
}

#[cfg(unix)]
mod system {
    use std::ffi::OsStr;
    use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
    use std::path::{Path, PathBuf};

    use super::FileStat;

    pub(super) fn stat(metadata: &Metadata) -> FileStat {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        FileStat {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        use rustix::fs::OFlags;
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
    }

    pub(super) fn make_private_dir(builder: &mut DirBuilder) {
        builder.mode(0o700);
    }

    pub(super) fn make_private_file(options: &mut OpenOptions) {
        options.mode(0o600);
    }

    pub(super) fn raise_open_files() -> io::Result<()> {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        Ok(setrlimit(Resource::Nofile, limit)?)
    }

    pub(super) fn restrict(path: &Path) -> io::Result<()> {
        std::fs::set_permissions(path, Permissions::from_mode(0o600))
    }

    pub(super) fn is_shared(metadata: &Metadata) -> bool {
        metadata.mode() & 0o077 != 0
    }

    #[cfg(target_os = "linux")]
    pub(super) fn file_system_name(path: &Path) -> Option<String> {
        super::mounted_on(&std::fs::read("/proc/self/mountinfo").ok()?, path)
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn file_system_name(path: &Path) -> Option<String> {
        let name = rustix::fs::statfs(path).ok()?.f_fstypename;
        let name: Vec<u8> = name.iter().map(|byte| byte.cast_unsigned()).take_while(|byte| *byte != 0).collect();
        String::from_utf8(name).ok()
    }

    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    pub(super) fn file_system_name(_path: &Path) -> Option<String> {
        None
    }

    pub(super) fn free_bytes(path: &Path) -> Option<u64> {
        let disk = rustix::fs::statvfs(path).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    pub(super) fn path_from_bytes(bytes: &[u8]) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(bytes))
    }
}

#[cfg(windows)]
mod system {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions};
    use std::io;
    use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
    use std::path::{Component, Path, PathBuf, Prefix};

    use super::FileStat;

    pub(super) fn stat(metadata: &Metadata) -> FileStat {
        // Windows counts in steps of 100 ns since 1601.
        const SINCE_1601: i64 = 116_444_736_000_000_000;
        let written = i64::try_from(metadata.last_write_time()).unwrap_or(i64::MAX);
        FileStat {
            device: 0,
            inode: metadata.creation_time(),
            size: metadata.file_size(),
            mtime_ns: written.saturating_sub(SINCE_1601).saturating_mul(100),
            ctime_ns: 0,
        }
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        // Opens a link itself instead of what it points to. The standard library shares reading, writing and deleting.
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        File::options().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
    }

    pub(super) fn make_private_dir(_builder: &mut DirBuilder) {}

    pub(super) fn make_private_file(_options: &mut OpenOptions) {}

    pub(super) fn raise_open_files() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn restrict(_path: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn is_shared(_metadata: &Metadata) -> bool {
        false
    }

    pub(super) fn file_system_name(path: &Path) -> Option<String> {
        match path.components().next()? {
            Component::Prefix(prefix) => match prefix.kind() {
                Prefix::UNC(..) | Prefix::VerbatimUNC(..) => Some("unc".to_owned()),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn free_bytes(_path: &Path) -> Option<u64> {
        None
    }

    pub(super) fn path_from_bytes(bytes: &[u8]) -> PathBuf {
        PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_and_last_mount_point_holds_a_path() {
        let table = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            30 22 0:30 / /home rw shared:1 master:2 - nfs4 server:/home rw\n\
            31 30 0:31 / /home/a\\040b rw - virtiofs share rw\n\
            32 31 0:32 / /home/a\\040b rw - fuse.sshfs x rw\n\
            torn line\n";
        let check = |path: &str, expected: &str| {
            assert_eq!(mounted_on(table, Path::new(path)).as_deref(), Some(expected), "{path}");
        };
        check("/var/lib", "ext4");
        check("/homes/x", "ext4");
        check("/home", "nfs4");
        check("/home/user/.claude", "nfs4");
        check("/home/a b/c", "fuse.sshfs");
    }

    #[test]
    fn file_systems_of_other_kernels_are_network() {
        for (name, expected) in [
            ("ext4", false),
            ("overlay", false),
            ("tmpfs", false),
            ("apfs", false),
            ("fuseblk", false),
            ("unknown", false),
        ]
        .into_iter()
        .chain([("nfs4", true), ("NFS", true), ("fuse.sshfs", true), ("9p", true), ("virtiofs", true)])
        {
            assert_eq!(is_network(name), expected, "{name}");
        }
    }

    #[test]
    fn a_path_that_does_not_exist_is_judged_by_its_parent() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(file_system(&dir.path().join("not/there")), file_system(dir.path()));
        assert!(free_bytes(&dir.path().join("not/there")).is_none_or(|bytes| bytes > 0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_regular_files_open_and_a_fifo_does_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        std::fs::write(at("file"), "x").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        assert_eq!(open_regular(&at("file")).unwrap().1.size, 1);
        for name in ["fifo", "link", ".", "nothing"] {
            assert!(open_regular(&at(name)).is_err(), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn private_means_the_owner_alone() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        let nested = dir.path().join("a/b");
        create_private_dir(&nested).unwrap();
        create_private_dir(&nested).unwrap();
        assert_eq!((mode(&nested), mode(nested.parent().unwrap())), (0o700, 0o700));
        let file = nested.join("secret");
        drop(create_private_file(&file).unwrap());
        assert_eq!(mode(&file), 0o600);
        assert!(create_private_file(&file).is_err(), "an existing file is not taken over");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        restrict_file(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn paths_survive_as_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/a\xff\n\"b"));
        assert_eq!(path_from_bytes(&path_bytes(path)), path);
    }
}
