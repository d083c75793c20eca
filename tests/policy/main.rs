//! Decisions about requests: the policy, the circuit breaker, and the memory of each client.

mod breaker;
mod client_table;
mod decisions;
