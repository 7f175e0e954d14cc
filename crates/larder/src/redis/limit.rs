//! Rate limits in Redis: one script call for each decision, by the server's clock.

use ::redis::Value;

use super::{
    connection::{CommandFailure, Unavailable},
    remote::Remote,
    script::Script,
};
use crate::{
    error::{Kind, Result},
    gcra::{Rate, TakeRequest, Usage},
    link::Operation,
};

/// Moves a key's TAT by `ARGV[2]`, unless that is further ahead than `ARGV[1]`. All in microseconds; the TAT is since 1970.
/// Returns for how long the key is used, and how long to wait. A TAT that no decision left (the server's clock was set back, or
/// another program wrote it) becomes that of a key that is used up.
static TAKE: Script = Script::new(
    Operation::Limit,
    r"
    local function keep(tat, now)
        local ms = math.ceil((tat - now) / 1000)
        redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', string.format('%.0f', ms))
    end
    local time = redis.call('TIME')
    local now, capacity = time[1] * 1000000 + time[2], tonumber(ARGV[1])
    local tat = tonumber(redis.call('GET', KEYS[1]) or '')
    if not (tat and tat > now) then tat = now end
    if tat > now + capacity then
        tat = now + capacity
        keep(tat, now)
    end
    local new = tat + ARGV[2]
    if new > now + capacity then return {tat - now, new - now - capacity} end
    if new > tat then keep(new, now) end
    return {new - now, 0}",
);

impl Remote {
    /// See [`SharedStorage::take`](crate::SharedStorage::take).
    pub(super) async fn take(&self, key: &str, rate: Rate, units: u32) -> Result<Usage> {
        let what = "a rate limit";
        if !self.runs_scripts().await {
            return Err(CommandFailure::from(Unavailable::Scripts).of(what));
        }
        let request = TakeRequest::new(&rate, units);
        let numbers = [request.capacity, request.increment].map(|number| number.to_string().into_bytes());
        let reply = self.call_one(TAKE.on(self.names.limit(&request.rate, key), numbers)).await;
        let [used, wait] = match reply {
            Ok(Value::Array(numbers)) => match numbers[..] {
                [Value::Int(used), Value::Int(wait)] => [used, wait],
                _ => return Err(Kind::unavailable("Redis answered with something else than numbers").into()),
            },
            Ok(_) => return Err(Kind::unavailable("Redis answered with something else than numbers").into()),
            Err(failure) => return Err(failure.of(what)),
        };
        Ok(request.usage(used, wait))
    }
}
