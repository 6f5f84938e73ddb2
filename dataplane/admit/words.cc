#include "dataplane/admit/words.h"

#include "dataplane/base/bytes.h"
#include "dataplane/base/interval_set.h"

namespace sekisho::admit {

namespace {
// What there is when there are no words. All zero: not valid, all cut.
const sekisho_words kNoWords{};
}  // namespace

Words::Words(const sekisho_words* words) : words_(words != nullptr ? words : &kNoWords) {}

bool Words::is_protected(std::uint8_t ip_version, const std::uint8_t* address) const {
  if (ip_version == 4)
    return contains(protected_.v4.data(), static_cast<std::uint32_t>(protected_.v4.size()),
                    load_be32(address));
  if (ip_version == 6)
    return contains(protected_.v6.data(), static_cast<std::uint32_t>(protected_.v6.size()),
                    abi::Address6{load_be64(address), load_be64(address + 8)});
  return false;
}

bool Words::access_open(std::uint32_t index, std::uint64_t now_ns) const {
  if (index >= SEKISHO_MAX_ACCESS || !valid()) return false;
  const sekisho_access_word& word = words_->access[index];
  return load_shared(word.state) == SEKISHO_WORD_OPEN && now_ns < load_shared(word.deadline_ns);
}

bool Words::quarantined(const QuarantineKey& key, std::uint64_t now_ns) const {
  const std::uint32_t slot = find_quarantine_slot(*words_, key);
  if (slot == kNoQuarantineSlot) return false;
  const std::uint64_t until = load_shared(words_->quarantine[slot].until_ns);
  return until == UINT64_MAX || now_ns < until;
}

}  // namespace sekisho::admit
