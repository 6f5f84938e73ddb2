#include "dataplane/measure/serve.h"

#include <cstdio>
#include <cstring>
#include <exception>

#include "dataplane/measure/json_line.h"

namespace sekisho::measure {

int serve(const std::function<std::string(Words&)>& handler) {
  char line[4098];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    std::string answer;
    try {
      const std::size_t length = std::strlen(line);
      if (length == 0 || line[length - 1] != '\n') throw Refused("a request is a line of at most 4096 bytes");
      Words words(std::string_view(line, length));
      if (words.name().empty()) continue;
      if (words.name() == "quit") return 0;
      answer = handler(words);
    } catch (const std::exception& e) {
      answer = JsonLine().add("error", std::string_view(e.what())).text();
    }
    std::printf("%s\n", answer.c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace sekisho::measure
