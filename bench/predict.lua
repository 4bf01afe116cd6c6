-- Sends the files named in $HILUM_BENCH_FILES, one path a line, in turn as POST /predict,
-- with the API key in $HILUM_BENCH_KEY where there is one.
-- Each thread begins at another file; requests are built before the clock starts.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

function init(args)
  refused = 0
  local boundary = "hilum-bench-5d1f0c"
  local key = os.getenv("HILUM_BENCH_KEY") or ""
  requests = {}
  for path in io.lines(os.getenv("HILUM_BENCH_FILES")) do
    local body = "--" .. boundary .. "\r\n"
      .. 'Content-Disposition: form-data; name="file"; filename="' .. path:match("[^/]+$") .. '"\r\n'
      .. "Content-Type: application/octet-stream\r\n\r\n"
      .. read(path) .. "\r\n--" .. boundary .. "--\r\n"
    local headers = { ["Content-Type"] = "multipart/form-data; boundary=" .. boundary }
    if key ~= "" then headers["Authorization"] = "Bearer " .. key end
    table.insert(requests, wrk.format("POST", "/predict", headers, body))
  end
  next_file = (number * 79) % #requests
end

function request()
  next_file = next_file % #requests + 1
  return requests[next_file]
end

function response(status)
  if status == 503 then refused = refused + 1 end
end

function done(summary, latency, _)
  local errors = summary.errors
  local all_refused = 0
  for _, thread in ipairs(threads) do all_refused = all_refused + thread:get("refused") end
  io.write(string.format(
    '\nJSON {"requests": %d, "duration_us": %d, "bytes": %d, "p50_us": %d, "p95_us": %d, "p99_us": %d, ' ..
    '"max_us": %d, "refused": %d, "errors": {"status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max, all_refused,
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
