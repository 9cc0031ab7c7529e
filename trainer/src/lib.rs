//! Workstation.
