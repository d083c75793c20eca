-- Counts answers by their status. wrk itself only distinguishes statuses from 200 to 399 from all others.
local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init()
   statuses = {}
end

function response(status)
   statuses[status] = (statuses[status] or 0) + 1
end

function done()
   for _, thread in ipairs(threads) do
      for status, count in pairs(thread:get("statuses")) do
         print(string.format("status %d: %d", status, count))
      end
   end
end
