//! A store on another host, asked through the API of its page.

pub mod wire;
