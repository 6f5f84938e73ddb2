#include <cctype>
#include <cstring>

#include "dataplane/io/ports.h"

namespace sekisho::io {

DeviceArguments device_arguments(const abi::PortRecord& record, std::size_t index, std::uint32_t channels,
                                 const std::string& guard) {
  const std::string device(record.device, strnlen(record.device, sizeof record.device));
  const std::size_t comma = device.find(',');
  DeviceArguments out{device.substr(0, comma), comma == std::string::npos ? "" : device.substr(comma + 1)};
  const bool af_xdp = out.name.starts_with("net_af_xdp");
  if (!out.name.empty() && std::isdigit(static_cast<unsigned char>(out.name.back())) == 0) {
    out.name.append("_").append(std::to_string(index));
  }
  if (af_xdp) {
    std::string all(1, ',');
    all += out.arguments;
    if (!guard.empty() && all.find(",xdp_prog=") == std::string::npos)
      out.arguments.append(",xdp_prog=").append(guard);
    if (channels > 1 && all.find(",queue_count=") == std::string::npos &&
        all.find(",start_queue=") == std::string::npos) {
      out.arguments.append(",queue_count=").append(std::to_string(channels));
    }
  }
  return out;
}

}  // namespace sekisho::io
