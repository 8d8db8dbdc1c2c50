use super::*;
use crate::config::HashMode;
use crate::protect::KeyFile;

#[test]
fn nothing_is_written_by_a_preview() {
    let temp = tempfile::tempdir().unwrap();
    let paths = Paths::new(temp.path().join("mail.db"));
    let keys = Arc::new(KeyRing::new(HashMode::HmacSha256, &KeyFile::generate().unwrap()));
    let mut who = Wanted::default();
    who.add_address("jane@example.com", &keys);
    assert!(preview(&paths, &keys, &who).is_err(), "there is no trail");
    assert!(!paths.trail().exists());
    let report = forget(&paths, &keys, &who).unwrap();
    assert_eq!(report, Report::default(), "nobody by that name, and no receiver to wait for");
    assert!(report.is_complete());
    let before = std::fs::read(paths.trail()).unwrap();
    assert_eq!(preview(&paths, &keys, &who).unwrap(), Report::default());
    assert_eq!(std::fs::read(paths.trail()).unwrap(), before);
    assert_eq!(lift(&paths, &keys, &who).unwrap(), 1);
    assert_eq!(lift(&paths, &keys, &who).unwrap(), 0);
}
