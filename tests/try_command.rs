//! `wtt-connect try`: the local service by itself, the demonstration agent by itself, and the command as a whole.

mod agent;
mod command;
mod service;
mod terminal;
