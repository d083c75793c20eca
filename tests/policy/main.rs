//! What a request comes to: the policy, the circuit breaker, and what is remembered of each client.

mod breaker;
mod client_table;
mod decisions;
