//! The keyring crate as most programs use it, to be measured beside: `get SERVICE USER`, or
//! `set SERVICE USER SECRET`.

fn main() -> Result<(), keyring::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["get", service, user] => {
            println!("{}", keyring::Entry::new(service, user)?.get_password()?);
        }
        ["set", service, user, secret] => {
            keyring::Entry::new(service, user)?.set_password(secret)?
        }
        _ => eprintln!("usage: keyring-crate get SERVICE USER | set SERVICE USER SECRET"),
    }
    Ok(())
}
