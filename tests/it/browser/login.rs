//! The login as a person meets it, and a session that ends while a page is open.

use super::Browser;
use super::axe::{axe, violations};
use crate::abuse::with_password;
use crate::house::TestHouse;
use crate::scribe::Scribe;

#[test]
fn a_person_logs_in_and_out() {
    const PASSWORD: &str = "correct horse battery staple";
    let house = with_password(TestHouse::new(), PASSWORD);
    Scribe::new(house.claude()).append("one", 3);
    let served = house.serve();
    let own = format!("http://{}", served.address());
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("{own}/models?range=all"));
    assert!(page.string("location.pathname").starts_with("/login"));
    if let Some(axe) = axe() {
        assert_eq!(violations(&mut page, &axe), Vec::<String>::new());
    }
    page.write("not this one");
    page.leave_by(|page| page.press("Enter"));
    assert!(page.text().contains("That is not the password."), "{}", page.text());
    assert_eq!(page.eval("document.activeElement.id"), "password");
    page.write(PASSWORD);
    page.leave_by(|page| page.click("form.fields button"));
    assert_eq!(page.string("location.pathname"), "/models", "back to where one wanted to go");
    page.until("document.querySelector('#status').className === 'live live'");

    // A session that ends somewhere else: the page notices at the next question, and leads to the login.
    let script = "void fetch('/api/v1/auth/logout', { method: 'POST' })
        .then(() => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'r', bubbles: true })))";
    page.leave_by(|page| {
        page.eval(script);
    });
    assert_eq!(page.string("location.pathname"), "/login");
}
