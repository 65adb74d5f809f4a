//! The binding: the only code of gocred that the compiler cannot vouch for.
//!
//! Every call is wrapped where it is made: what goes in are locals and what the library itself handed
//! out, and what comes out is copied and given back before a function returns.

#![expect(
    unsafe_code,
    reason = "a C library; a binding that links it needs krb5 to build and start"
)]

use std::{
    ffi::{c_int, c_void},
    ptr::{from_mut, null_mut},
    slice,
    sync::OnceLock,
};

use libloading::{Error as Missing, Library};

use crate::{
    core::text::printable,
    sys::{
        clock,
        gss::{Error, Step, Ticket, is_host_based},
    },
};

#[cfg(target_os = "linux")]
const NAMES: [&str; 2] = ["libgssapi_krb5.so.2", "libgssapi.so.3"];
#[cfg(target_os = "macos")]
const NAMES: [&str; 1] = ["/System/Library/Frameworks/GSS.framework/GSS"];

/// 1.3.6.1.5.5.2, SPNEGO.
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// 1.2.840.113554.1.2.2, Kerberos 5.
const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// 1.2.840.113554.1.2.1.4, a name like `HTTP@host`.
const HOST_BASED_SERVICE: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04";
/// 1.2.840.113554.1.2.2.1, a principal.
const PRINCIPAL: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01";

const INITIATE: c_int = 1;
const INDEFINITE: u32 = u32::MAX;
/// The flags that curl asks for: mutual authentication, no replay. What follows is not wrapped.
const FLAGS: u32 = 2 | 4;
const CONTINUE_NEEDED: u32 = 1;
const NO_CREDENTIAL: u32 = 7;
const CREDENTIALS_EXPIRED: u32 = 11;
const FAILURE: u32 = 13;

type Handle = *mut c_void;

/// `gss_OID_desc`. On Intel Macs the structures are packed, for the sake of an older MIT Kerberos
/// (Heimdal's `gssapi.h`).
#[derive(Clone, Copy)]
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
struct Oid {
    length: u32,
    elements: *const c_void,
}

/// `gss_OID_set_desc`.
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
struct OidSet {
    count: usize,
    elements: *mut Oid,
}

/// `gss_buffer_desc`.
#[derive(Clone, Copy)]
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
struct Buffer {
    length: usize,
    value: *mut c_void,
}

/// `gss_channel_bindings_struct`.
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
struct Bindings {
    initiator_type: u32,
    initiator: Buffer,
    acceptor_type: u32,
    acceptor: Buffer,
    application: Buffer,
}

impl Oid {
    fn of(bytes: &'static [u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or_default();
        Self { length, elements: bytes.as_ptr().cast() }
    }
}

impl Buffer {
    const EMPTY: Self = Self { length: 0, value: null_mut() };

    /// Lends bytes to the library, which does not write to them.
    fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
    }
}

/// Declares the functions that are used, and finds them in the library.
macro_rules! functions {
    ($($name:ident($($argument:ty),*);)*) => {
        struct Functions {
            $($name: unsafe extern "C" fn(*mut u32, $($argument),*) -> u32,)*
            /// The functions are its code.
            _library: Library,
        }

        impl Functions {
            fn find(library: Library) -> Result<Self, Missing> {
                // SAFETY: the types are those of RFC 2744 appendix A, which both libraries keep
                // as their binary interface (the number in the file's name); the pointers are
                // used only while the library is in the same structure.
                $(let $name = unsafe { *library.get(concat!(stringify!($name), "\0"))? };)*
                Ok(Self { $($name,)* _library: library })
            }
        }
    };
}

functions! {
    gss_acquire_cred(Handle, u32, *mut OidSet, c_int, *mut Handle, *mut *mut OidSet, *mut u32);
    gss_delete_sec_context(*mut Handle, *mut Buffer);
    gss_display_name(Handle, *mut Buffer, *mut *mut Oid);
    gss_display_status(u32, c_int, *mut Oid, *mut u32, *mut Buffer);
    gss_import_name(*mut Buffer, *mut Oid, *mut Handle);
    gss_init_sec_context(Handle, *mut Handle, Handle, *mut Oid, u32, u32, *mut Bindings, *mut Buffer, *mut *mut Oid, *mut Buffer, *mut u32, *mut u32);
    gss_inquire_cred(Handle, *mut Handle, *mut u32, *mut c_int, *mut *mut OidSet);
    gss_release_buffer(*mut Buffer);
    gss_release_cred(*mut Handle);
    gss_release_name(*mut Handle);
}

/// Opens the library, once for the process.
fn functions() -> Result<&'static Functions, Error> {
    static OPENED: OnceLock<Option<Functions>> = OnceLock::new();
    let open = |name: &&str| {
        // SAFETY: the names are those of the system's own libraries, found where the system
        // looks for libraries; their initialisers do nothing but set themselves up.
        unsafe { Library::new(*name) }.ok()
    };
    let opened = OPENED.get_or_init(|| {
        NAMES.iter().filter_map(open).find_map(|library| Functions::find(library).ok())
    });
    opened.as_ref().ok_or(Error::NoLibrary)
}

impl Functions {
    /// Turns a result into an error that says what to do next.
    fn check(&self, mechanism: &'static [u8], major: u32, minor: u32) -> Result<(), Error> {
        // RFC 2744 §3.9.1: the upper half holds the errors.
        match major >> 16 {
            0 => Ok(()),
            NO_CREDENTIAL => Err(Error::NoTicket),
            CREDENTIALS_EXPIRED => Err(Error::Expired),
            FAILURE if minor != 0 => Err(Error::Failed(self.text(mechanism, minor, 2))),
            _ => Err(Error::Failed(self.text(mechanism, major, 1))),
        }
    }

    /// Returns what the library says of an error: of kind 1 its own, of kind 2 the mechanism's.
    fn text(&self, mechanism: &'static [u8], value: u32, kind: c_int) -> String {
        let mut texts: Vec<String> = Vec::new();
        let (mut minor, mut more, mut mechanism) = (0, 0, Oid::of(mechanism));
        // A library that always has more to say is not listened to for ever.
        while texts.len() < 4 {
            let mut text = Output::new(self);
            // SAFETY: every pointer is to a local of its type that lives until the call returns.
            let major = unsafe {
                (self.gss_display_status)(
                    &raw mut minor,
                    value,
                    kind,
                    &raw mut mechanism,
                    &raw mut more,
                    &raw mut text.buffer,
                )
            };
            if major >> 16 != 0 {
                break;
            }
            texts.push(String::from_utf8_lossy(text.bytes()).trim().to_owned());
            if more == 0 {
                break;
            }
        }
        printable(&texts.join(": "))
    }
}

/// A buffer that the library fills, and takes back.
struct Output<'a> {
    functions: &'a Functions,
    buffer: Buffer,
}

impl<'a> Output<'a> {
    fn new(functions: &'a Functions) -> Self {
        Self { functions, buffer: Buffer::EMPTY }
    }

    fn bytes(&self) -> &[u8] {
        let Buffer { length, value } = self.buffer;
        if value.is_null() {
            return &[];
        }
        // SAFETY: the library has filled the buffer, it is `length` bytes long, and it stays
        // until `self` is dropped.
        unsafe { slice::from_raw_parts(value.cast(), length) }
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the buffer is empty or the library's own; it is released once.
        unsafe { (self.functions.gss_release_buffer)(&raw mut minor, &raw mut self.buffer) };
    }
}

/// What the library hands out, and how it is given back.
struct Owned {
    handle: Handle,
    release: unsafe extern "C" fn(*mut u32, *mut Handle) -> u32,
}

impl Drop for Owned {
    fn drop(&mut self) {
        let mut minor = 0;
        if !self.handle.is_null() {
            // SAFETY: the handle is one that this function releases, and it is released once.
            unsafe { (self.release)(&raw mut minor, &raw mut self.handle) };
        }
    }
}

/// Returns the user's ticket, from the default cache. No KDC is asked.
pub fn ticket() -> Result<Ticket, Error> {
    let functions = functions()?;
    let mut kerberos = Oid::of(KERBEROS);
    let mut mechanisms = OidSet { count: 1, elements: &raw mut kerberos };
    let mut credential = Owned { handle: null_mut(), release: functions.gss_release_cred };
    let mut minor = 0;
    // SAFETY: every pointer is null, which stands for the default, or to a local of its type
    // that lives until the call returns.
    let major = unsafe {
        (functions.gss_acquire_cred)(
            &raw mut minor,
            null_mut(),
            INDEFINITE,
            &raw mut mechanisms,
            INITIATE,
            &raw mut credential.handle,
            null_mut(),
            null_mut(),
        )
    };
    functions.check(KERBEROS, major, minor)?;

    let mut name = Owned { handle: null_mut(), release: functions.gss_release_name };
    let mut lifetime = 0;
    // SAFETY: the credential is one; every other pointer is null, for what is not asked, or to
    // a local of its type.
    let major = unsafe {
        (functions.gss_inquire_cred)(
            &raw mut minor,
            credential.handle,
            &raw mut name.handle,
            &raw mut lifetime,
            null_mut(),
            null_mut(),
        )
    };
    functions.check(KERBEROS, major, minor)?;
    if lifetime == 0 {
        return Err(Error::Expired);
    }

    let mut principal = Output::new(functions);
    if !name.handle.is_null() {
        // SAFETY: the name is one; the other pointers are to locals of their types, or null.
        let major = unsafe {
            (functions.gss_display_name)(
                &raw mut minor,
                name.handle,
                &raw mut principal.buffer,
                null_mut(),
            )
        };
        functions.check(KERBEROS, major, minor)?;
    }
    Ok(Ticket {
        principal: printable(&String::from_utf8_lossy(principal.bytes())),
        expires: (lifetime != INDEFINITE).then(|| clock::now() + u64::from(lifetime)),
    })
}

/// A login at one service, on one connection, with the user's ticket.
pub struct Context {
    functions: &'static Functions,
    service: Owned,
    handle: Handle,
    channel_binding: Option<Vec<u8>>,
}

// SAFETY: a context and a name may be used by any thread, by one at a time (RFC 2744 §3 leaves it
// open; MIT and Heimdal document it); `&mut self` sees to that.
unsafe impl Send for Context {}

impl Context {
    /// Starts a login. `service` is `HTTP@proxy.corp.example` or a principal;
    /// `channel_binding` is `core::auth::channel_binding::end_point`.
    pub fn new(service: &str, channel_binding: Option<&[u8]>) -> Result<Self, Error> {
        let functions = functions()?;
        let kind = if is_host_based(service) { HOST_BASED_SERVICE } else { PRINCIPAL };
        let (mut kind, mut text) = (Oid::of(kind), Buffer::of(service.as_bytes()));
        let mut service = Owned { handle: null_mut(), release: functions.gss_release_name };
        let mut minor = 0;
        // SAFETY: every pointer is to a local of its type that lives until the call returns; the
        // text is copied.
        let major = unsafe {
            (functions.gss_import_name)(
                &raw mut minor,
                &raw mut text,
                &raw mut kind,
                &raw mut service.handle,
            )
        };
        functions.check(KERBEROS, major, minor)?;
        let channel_binding = channel_binding.map(<[u8]>::to_vec);
        Ok(Self { functions, service, handle: null_mut(), channel_binding })
    }

    /// Takes what the server sent, nothing the first time, and returns what to send.
    pub fn step(&mut self, input: Option<&[u8]>) -> Result<Step, Error> {
        let Self { functions, service, handle, channel_binding } = self;
        let mut bindings = Bindings {
            initiator_type: 0,
            initiator: Buffer::EMPTY,
            acceptor_type: 0,
            acceptor: Buffer::EMPTY,
            application: channel_binding.as_deref().map_or(Buffer::EMPTY, Buffer::of),
        };
        let bindings = channel_binding.as_ref().map(|_| &raw mut bindings);
        let mut input = input.map(Buffer::of);
        let mut mechanism = Oid::of(SPNEGO);
        let mut output = Output::new(functions);
        let mut minor = 0;
        // SAFETY: the context is null, which starts one, or the library's own; the name is one;
        // every other pointer is null, for a default or for what is not asked, or to a local of
        // its type. What the locals point to lives until the call returns.
        let major = unsafe {
            (functions.gss_init_sec_context)(
                &raw mut minor,
                null_mut(),
                from_mut(handle),
                service.handle,
                &raw mut mechanism,
                FLAGS,
                0,
                bindings.unwrap_or(null_mut()),
                input.as_mut().map_or(null_mut(), from_mut),
                null_mut(),
                &raw mut output.buffer,
                null_mut(),
                null_mut(),
            )
        };
        // SPNEGO hides why its mechanism fails: an old ticket is found out by asking for it.
        functions.check(SPNEGO, major, minor).map_err(|error| ticket().err().unwrap_or(error))?;
        Ok(Step { token: output.bytes().to_vec(), done: major & CONTINUE_NEEDED == 0 })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut minor = 0;
        if !self.handle.is_null() {
            // SAFETY: the context is the library's own, and it is deleted once.
            unsafe {
                (self.functions.gss_delete_sec_context)(
                    &raw mut minor,
                    &raw mut self.handle,
                    null_mut(),
                )
            };
        }
    }
}
