// What an SMB connection holds: trees, open files, requests that wait for their answer.
#include <charconv>

#include "dataplane/app/ftp_text.h"
#include "dataplane/app/smb.h"

namespace sekisho::app {

Transaction* SmbParser::open_transaction(Host&) {
  auto* tx = pool_->make<Transaction>(*pool_, next_id_, AppProtocol::smb);
  if (tx == nullptr) return nullptr;
  ++next_id_;
  tx->facts.smb_version = version_;
  return tx;
}

void SmbParser::tree_request(std::uint64_t key, std::uint16_t command, Bytes path, bool service_is_pipe,
                             Host& host) {
  // IPC$ is the share of pipes (MS-SMB2 2.2.9), whatever the answer will say: what matters is known now.
  std::size_t begin = path.size();
  while (begin != 0 && path[begin - 1] != '\\') --begin;
  const bool pipe = service_is_pipe || ftp_is(path.subspan(begin), "IPC$");
  Transaction* tx = open_transaction(host);
  if (tx != nullptr) {
    tx->of(kUp).add(pipe ? Buffer::smb_named_pipe : Buffer::smb_share, path);
    host.finish(*tx, kUp);
  }
  Request* r = add_request(key, command, host);
  if (r == nullptr) {
    if (tx != nullptr) host.finish(*tx, kDown);
    return;
  }
  r->tx = tx;
  r->kind = pipe ? Kind::pipe : Kind::disk;
  r->name.append(*pool_, path, kMaxName);
}

void SmbParser::tree_response(std::uint64_t key, std::uint16_t command, std::uint32_t id, bool sound,
                              std::uint32_t status, Host& host) {
  Request* r = request(key, command);
  if (r == nullptr) return;
  if (sound) {
    remove_tree(id);
    if (tree_count_ >= kMaxTrees) {
      Tree* last = trees_;
      while (last->next != nullptr) last = last->next;
      remove_tree(last->id);
    }
    if (auto* t = pool_->make<Tree>(); t != nullptr) {
      *t = {trees_, id, r->kind};
      trees_ = t;
      ++tree_count_;
    }
  }
  log(r->tx, "TREE_CONNECT", status, r->kind == Kind::pipe ? "named_pipe" : "share", r->name.view(), host);
  if (r->tx != nullptr) {
    Transaction& tx = *r->tx;
    r->tx = nullptr;
    host.finish(tx, kDown);
  }
  remove(r);
}

SmbParser::File* SmbParser::create_request(std::uint64_t key, std::uint16_t command, std::uint32_t tree_id,
                                           Bytes name, Host& host) {
  File* f = add_file(host);
  if (f == nullptr) return nullptr;
  if (const Tree* t = tree(tree_id); t != nullptr) f->kind = t->kind;
  f->name.append(*pool_, name, kMaxName);
  if (!name.empty() && (f->tx = open_transaction(host)) != nullptr) {
    f->tx->of(kUp).add(f->kind == Kind::pipe ? Buffer::smb_named_pipe : Buffer::file_name, name);
    host.evaluate(*f->tx, kUp, false);
  }
  if (Request* r = add_request(key, command, host); r != nullptr) r->file = f;
  return f;
}

void SmbParser::create_response(std::uint64_t key, std::uint16_t command, const Id* id, std::uint32_t status,
                                Host& host) {
  Request* r = request(key, command);
  if (r == nullptr) return;
  File* f = r->file;
  remove(r);
  if (f == nullptr) return;
  log(f->tx, "CREATE", status, f->kind == Kind::pipe ? "named_pipe" : "filename", f->name.view(), host);
  if (id == nullptr) {
    close_file(f, host);
    return;
  }
  // An id that is given again names a new file.
  for (File* old = files_; old != nullptr; old = old->next)
    if (old != f && old->named && old->id == *id) {
      close_file(old, host);
      break;
    }
  f->id = *id;
  f->named = true;
}

void SmbParser::security(Bytes blob, Host& host) {
  const NtlmNames names = smb_ntlm(blob);
  if (names.found == NtlmNames::Found::malformed)
    host.event(nullptr, kUp, AppEvent::smb_malformed_ntlmssp_request);
  if (names.found != NtlmNames::Found::yes) return;
  Transaction* tx = open_transaction(host);
  if (tx == nullptr) return;
  std::uint8_t text[3][256];
  const Bytes user = smb_text(names.user, names.unicode, text[0]),
              domain = smb_text(names.domain, names.unicode, text[1]),
              station = smb_text(names.workstation, names.unicode, text[2]);
  Side& side = tx->of(kUp);
  side.add(Buffer::smb_ntlmssp_user, user);
  side.add(Buffer::smb_ntlmssp_domain, domain);
  if (host.wants_log(AppProtocol::smb)) {
    const char* command = "SESSION_SETUP";
    const Host::Field fields[4] = {
        {"command", {reinterpret_cast<const std::uint8_t*>(command), std::strlen(command)}},
        {"ntlmssp_user", user},
        {"ntlmssp_domain", domain},
        {"ntlmssp_host", station}};
    host.log(tx, AppProtocol::smb, fields);
  }
  host.finish(*tx, kDown);
  host.finish(*tx, kUp);
}

// Everything of the file is over: its transaction, its calls.
void SmbParser::close_file(File* f, Host& host) {
  if (f->rpc != nullptr) {
    f->rpc->end(kUp, owner(), host);
    f->rpc->end(kDown, owner(), host);
  }
  if (f->tx != nullptr) {
    Transaction& tx = *f->tx;
    f->tx = nullptr;
    for (const Direction d : {kUp, kDown}) {
      if ((tx.finished >> index(d) & 1) != 0) continue;
      if (f->begun[index(d)]) {
        tx.of(d).complete(Buffer::file_data);
        f->hash[index(d)].end(host, &tx, d, AppProtocol::smb);
      }
      host.finish(tx, d);
    }
  }
  remove(f);
}

// The file of this id, now the one used last. `make`: one whose opening was not seen.
SmbParser::File* SmbParser::file(const Id& id, bool make, Host& host) {
  for (File** at = &files_; *at != nullptr; at = &(*at)->next) {
    File* f = *at;
    if (!f->named || f->id != id) continue;
    *at = f->next;
    f->next = files_;
    files_ = f;
    return f;
  }
  if (!make) return nullptr;
  File* f = add_file(host);
  if (f == nullptr) return nullptr;
  f->id = id;
  f->named = true;
  return f;
}

SmbParser::File* SmbParser::add_file(Host& host) {
  if (file_count_ >= kMaxFiles) {
    File* last = files_;
    while (last->next != nullptr) last = last->next;
    host.event(last->tx, kUp, AppEvent::smb_too_many_files);
    close_file(last, host);
  }
  auto* f = pool_->make<File>();
  if (f == nullptr) return nullptr;
  f->next = files_;
  files_ = f;
  ++file_count_;
  return f;
}

void SmbParser::remove(File* f) {
  for (File** at = &files_; *at != nullptr; at = &(*at)->next)
    if (*at == f) {
      *at = f->next;
      --file_count_;
      break;
    }
  for (Way& way : way_) {
    if (way.sink == f) way.sink = nullptr;
    if (way.related == f) way.related = nullptr;
  }
  for (Request* r = requests_; r != nullptr; r = r->next)
    if (r->file == f) r->file = nullptr;
  if (f->rpc != nullptr) {
    f->rpc->release(*pool_);
    pool_->destroy(f->rpc);
  }
  f->name.release(*pool_);
  f->hash[0].release();
  f->hash[1].release();
  pool_->destroy(f);
}

SmbParser::Tree* SmbParser::tree(std::uint32_t id) {
  for (Tree* t = trees_; t != nullptr; t = t->next)
    if (t->id == id) return t;
  return nullptr;
}

void SmbParser::remove_tree(std::uint32_t id) {
  for (Tree** at = &trees_; *at != nullptr; at = &(*at)->next)
    if ((*at)->id == id) {
      Tree* t = *at;
      *at = t->next;
      --tree_count_;
      pool_->destroy(t);
      return;
    }
}

SmbParser::Request* SmbParser::request(std::uint64_t key, std::uint16_t command) {
  for (Request* r = requests_; r != nullptr; r = r->next)
    if (r->key == key && r->command == command) return r;
  return nullptr;
}

SmbParser::Request* SmbParser::add_request(std::uint64_t key, std::uint16_t command, Host& host) {
  if (request_count_ >= kMaxRequests) {
    Request* last = requests_;
    while (last->next != nullptr) last = last->next;
    host.event(last->tx, kUp, AppEvent::smb_too_many_requests);
    if (last->tx != nullptr) {
      Transaction& tx = *last->tx;
      last->tx = nullptr;
      host.finish(tx, kDown);
    }
    remove(last);
  }
  auto* r = pool_->make<Request>();
  if (r == nullptr) return nullptr;
  r->next = requests_;
  r->key = key;
  r->command = command;
  requests_ = r;
  ++request_count_;
  return r;
}

void SmbParser::remove(Request* r) {
  for (Request** at = &requests_; *at != nullptr; at = &(*at)->next)
    if (*at == r) {
      *at = r->next;
      --request_count_;
      break;
    }
  r->name.release(*pool_);
  pool_->destroy(r);
}

void SmbParser::log(Transaction* tx, const char* command, std::uint32_t status, const char* key, Bytes name,
                    Host& host) {
  if (!host.wants_log(AppProtocol::smb)) return;
  char code[2][12] = {"0x", "0x"};
  const auto hex = [](char(&out)[12], std::uint32_t value) {
    const char* end = std::to_chars(out + 2, out + sizeof out, value, 16).ptr;
    return Bytes(reinterpret_cast<const std::uint8_t*>(out), static_cast<std::size_t>(end - out));
  };
  Host::Field fields[4] = {
      {"command", {reinterpret_cast<const std::uint8_t*>(command), std::strlen(command)}},
      {"dialect", hex(code[0], version_)},
      {"status", hex(code[1], status)}};
  std::size_t count = 3;
  if (key != nullptr) fields[count++] = {key, name};
  host.log(tx, AppProtocol::smb, {fields, count});
}

}  // namespace sekisho::app
