/*
 * Redis runs a script atomically: each one takes effect completely or not at all, for any number of processes. The
 * scripts calculate in the same order as memory-limit-store.ts, so that both make the same decision to the last bit;
 * numbers are written with 17 digits, which are lossless. The time is that of Redis, one clock for all processes,
 * unless a test passes its own.
 */

const COMMON = `
local WINDOW, TOLERANCE, ORIGIN = 60000, 0.01, 1767225600000
local function clock(given)
  local now = tonumber(given)
  if now then return now - ORIGIN end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - ORIGIN
end
local function backlog(key, now)
  return math.max(0, (tonumber(redis.call('GET', key) or '') or now) - now)
end
local function fill(key, now, ms)
  local drained = now + backlog(key, now) + ms
  local left = math.max(0, drained - now)
  if left > 0 then
    redis.call('SET', key, string.format('%.17g', drained), 'PX', math.ceil(left) + 1000)
  else
    redis.call('DEL', key)
  end
  return left
end
local function text(number)
  return string.format('%.17g', number)
end
`;

/** KEYS: buckets. ARGV: now, then limit and cost of each. Returns 1 or 0 and the backlog of each. */
export const TAKE = `${COMMON}
local now = clock(ARGV[1])
local allowed, answer = 1, {}
for i, key in ipairs(KEYS) do
  local limit, cost = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local behind = backlog(key, now)
  answer[i + 1] = text(behind)
  if cost > 0 and behind + (cost - TOLERANCE) * (WINDOW / limit) - WINDOW > 0 then allowed = 0 end
end
if allowed == 1 then
  for i, key in ipairs(KEYS) do
    local limit, cost = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    if cost > 0 then answer[i + 1] = text(fill(key, now, cost * (WINDOW / limit))) end
  end
end
answer[1] = tostring(allowed)
return answer
`;

/**
 * KEYS: the sums, then leases and bucket of each subject. ARGV: now, lease, its lifetime in ms, tokens, tokens per
 * minute, cost, generations, concurrency, quota of tokens, quota of cost, and if known: tokens and cost spent so far,
 * and how long these are valid. A lease is a field of its subject's hash: end, generations, tokens, cost.
 */
export const RESERVE = `${COMMON}
local now = clock(ARGV[1])
local lease, life = ARGV[2], tonumber(ARGV[3])
local tokens, limit, cost = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local generations, concurrency = tonumber(ARGV[7]), tonumber(ARGV[8])
local tokens_day, cost_month = tonumber(ARGV[9]), tonumber(ARGV[10])
local running, open_tokens, open_cost, behind = 0, 0, 0, 0
for i = 2, #KEYS, 2 do
  local live, fields = 0, redis.call('HGETALL', KEYS[i])
  for j = 1, #fields, 2 do
    local till, count, more_tokens, more_cost = string.match(fields[j + 1], '(%S+) (%S+) (%S+) (%S+)')
    if tonumber(till) <= now then
      redis.call('HDEL', KEYS[i], fields[j])
    else
      live = live + tonumber(count)
      if i == 2 then
        open_tokens = open_tokens + tonumber(more_tokens)
        open_cost = open_cost + tonumber(more_cost)
      end
    end
  end
  running = math.max(running, live)
  behind = math.max(behind, backlog(KEYS[i + 1], now))
end
if tokens_day or cost_month then
  if ARGV[11] ~= '' then
    redis.call('HSET', KEYS[1], 'tokens', ARGV[11], 'cost', ARGV[12], 'till', text(now + tonumber(ARGV[13])))
    redis.call('PEXPIRE', KEYS[1], ARGV[13])
  end
  local spent = redis.call('HMGET', KEYS[1], 'tokens', 'cost', 'till')
  if not spent[1] or tonumber(spent[3]) <= now then return { 'spent_unknown', '0' } end
  if tokens_day and tonumber(spent[1]) + open_tokens + tokens > tokens_day then
    return { 'tokens_day', text(behind) }
  end
  if cost_month and tonumber(spent[2]) + open_cost + cost > cost_month then
    return { 'cost_month', text(behind) }
  end
end
if generations > 0 and running + generations > concurrency then return { 'concurrency', text(behind) } end
if tokens > 0 and behind + (tokens - TOLERANCE) * (WINDOW / limit) - WINDOW > 0 then
  return { 'tokens', text(behind) }
end
for i = 2, #KEYS, 2 do
  fill(KEYS[i + 1], now, tokens * (WINDOW / limit))
  redis.call('HSET', KEYS[i], lease, table.concat({ text(now + life), ARGV[7], ARGV[4], ARGV[6] }, ' '))
  redis.call('PEXPIRE', KEYS[i], life)
end
return { 'granted', text(behind + tokens * (WINDOW / limit)) }
`;

/** KEYS as for RESERVE. ARGV: now, lease, tokens reserved, tokens per minute, tokens used, cost used. */
export const SETTLE = `${COMMON}
local now = clock(ARGV[1])
local reserved, limit, used = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
for i = 2, #KEYS, 2 do
  -- Gone already: it was settled before, or its process was taken for dead and it has ended by itself.
  if redis.call('HDEL', KEYS[i], ARGV[2]) == 0 then return 0 end
  fill(KEYS[i + 1], now, (used - reserved) * (WINDOW / limit))
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'tokens', ARGV[5])
  redis.call('HINCRBY', KEYS[1], 'cost', ARGV[6])
end
return 1
`;

/** KEYS: the leases of each subject. ARGV: now, lease, its lifetime in ms, generations, tokens, cost. */
export const RENEW = `${COMMON}
local till = text(clock(ARGV[1]) + tonumber(ARGV[3]))
for _, key in ipairs(KEYS) do
  -- Set and not only prolonged: a Redis that was started anew has forgotten a lease that is still held.
  redis.call('HSET', key, ARGV[2], table.concat({ till, ARGV[4], ARGV[5], ARGV[6] }, ' '))
  redis.call('PEXPIRE', key, ARGV[3])
end
return 1
`;
