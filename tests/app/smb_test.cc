#include "dataplane/app/smb.h"

#include "tests/app/smb_script.h"

namespace sekisho::app {

extern const ProtocolEntry kSmbEntry;

namespace {

std::string u16(unsigned v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8)};
}
std::string u32(unsigned v) {
  return u16(v & 0xffff) + u16(v >> 16);
}
std::string utf16(const std::string& s) {
  std::string out;
  for (const char c : s) out += std::string{c, 0};
  return out;
}
std::string zeros(std::size_t n) {
  return std::string(n, 0);
}
std::string frame(const std::string& message, unsigned length) {
  return std::string{0, static_cast<char>(length >> 16), static_cast<char>(length >> 8),
                     static_cast<char>(length)} +
         message;
}
std::string frame(const std::string& message) {
  return frame(message, static_cast<unsigned>(message.size()));
}

// ---- SMB 2
std::string header2(unsigned command, bool response, unsigned mid, unsigned tree = 5, unsigned status = 0,
                    unsigned next = 0, bool related = false) {
  return std::string("\xfeSMB", 4) + u16(64) + u16(0) + u32(status) + u16(command) + u16(1) +
         u32((response ? 1 : 0) | (related ? 4 : 0)) + u32(next) + u32(mid) + u32(0) + u32(0) + u32(tree) +
         zeros(8) + zeros(16);
}
std::string id2(unsigned n) {
  return u32(n) + zeros(12);
}
const std::string kRelatedId(16, '\xff');
std::string negotiated2(unsigned dialect) {
  return frame(header2(0, true, 0) + u16(65) + u16(0) + u16(dialect) + zeros(60));
}
std::string tree_request2(unsigned mid, const std::string& path) {
  const std::string p = utf16(path);
  return frame(header2(3, false, mid, 0) + u16(9) + u16(0) + u16(72) + u16(static_cast<unsigned>(p.size())) +
               p);
}
std::string tree_response2(unsigned mid, unsigned tree, int type, unsigned status = 0) {
  return frame(header2(3, true, mid, tree, status) + u16(16) + std::string{static_cast<char>(type), 0} +
               zeros(12));
}
std::string create_request2(unsigned mid, unsigned tree, const std::string& name, unsigned next = 0) {
  const std::string n = utf16(name);
  return header2(5, false, mid, tree, 0, next) + u16(57) + zeros(42) + u16(120) +
         u16(static_cast<unsigned>(n.size())) + zeros(8) + n;
}
std::string create_response2(unsigned mid, unsigned id, unsigned status = 0, unsigned next = 0) {
  return header2(5, true, mid, 5, status, next) + u16(89) + zeros(62) + id2(id) + zeros(8);
}
std::string write2(unsigned mid, const std::string& id, const std::string& data, unsigned tree = 5,
                   unsigned pad = 0) {
  return header2(9, false, mid, tree, 0, 0, id == kRelatedId) + u16(49) + u16(112 + pad) +
         u32(static_cast<unsigned>(data.size())) + zeros(8) + id + zeros(16) + zeros(pad) + data;
}
std::string read_request2(unsigned mid, const std::string& id, unsigned next = 0) {
  return header2(8, false, mid, 5, 0, next, id == kRelatedId) + u16(49) + zeros(2) + u32(65536) + zeros(8) +
         id + zeros(17) + zeros(7);
}
std::string read_response2(unsigned mid, const std::string& data) {
  return header2(8, true, mid) + u16(17) + std::string{80, 0} + u32(static_cast<unsigned>(data.size())) +
         zeros(8) + data;
}
std::string close_request2(unsigned mid, const std::string& id) {
  return header2(6, false, mid, 5, 0, 0, id == kRelatedId) + u16(24) + zeros(6) + id;
}
std::string close_response2(unsigned mid) {
  return header2(6, true, mid) + u16(60) + zeros(58);
}
std::string ioctl2(bool response, unsigned mid, const std::string& id, const std::string& data,
                   unsigned code = 0x11c017) {
  const unsigned offset = response ? 112 : 120, n = static_cast<unsigned>(data.size());
  return frame(
      header2(11, response, mid) + u16(response ? 49 : 57) + u16(0) + u32(code) + id +
      u32(response ? 0 : offset) + u32(response ? 0 : n) +
      (response ? u32(offset) + u32(n) + zeros(8) : u32(0) + u32(0) + u32(0) + u32(1) + u32(0) + zeros(4)) +
      data);
}
Script share2(const std::string& path, int type) {
  return Script().s(negotiated2(0x0302)).c(tree_request2(1, path)).s(tree_response2(1, 5, type));
}

// ---- DCE/RPC
std::string rpc(unsigned type, const std::string& body, unsigned flags = 3) {
  return std::string{5, 0, static_cast<char>(type), static_cast<char>(flags), 0x10, 0, 0, 0} +
         u16(static_cast<unsigned>(16 + body.size())) + u16(0) + u32(1) + body;
}
std::string rpc_bind() {
  return rpc(11, u16(4280) + u16(4280) + u32(0) + std::string{1, 0, 0, 0} + u16(0) + std::string{1, 0} +
                     "ABCDEFGHIJKLMNOP" + u16(1) + u16(0) + zeros(20));
}
std::string rpc_request(const std::string& stub) {
  return rpc(0, u32(0) + u16(0) + u16(15) + stub);
}
std::string rpc_response(const std::string& stub) {
  return rpc(2, u32(0) + u16(0) + u16(0) + stub);
}

// ---- NTLMSSP
std::string ntlm(const std::string& domain, const std::string& user, const std::string& host) {
  const std::string d = utf16(domain), u = utf16(user), h = utf16(host);
  const auto field = [](const std::string& s, std::size_t at) {
    return u16(static_cast<unsigned>(s.size())) + u16(static_cast<unsigned>(s.size())) +
           u32(static_cast<unsigned>(at));
  };
  return std::string("spnegoNTLMSSP\0", 14) + u32(3) + field("", 64) + field("", 64) + field(d, 64) +
         field(u, 64 + d.size()) + field(h, 64 + d.size() + u.size()) + field("", 64) + u32(1) + d + u + h;
}
std::string session_setup2(const std::string& blob) {
  return frame(header2(1, false, 2) + u16(25) + zeros(10) + u16(88) +
               u16(static_cast<unsigned>(blob.size())) + zeros(8) + blob);
}

TEST(Smb2, AFileIsOneTransactionWithWhatIsWrittenAndRead) {
  Script script = share2("\\\\srv\\data", 1);
  script.c(frame(create_request2(2, 5, "dir\\a.exe"))).s(frame(create_response2(2, 7)));
  script.c(frame(write2(3, id2(7), "first ", 5, 8))).c(frame(write2(4, id2(7), "second")));
  script.c(frame(read_request2(5, id2(7)))).s(frame(read_response2(5, "content")));
  script.c(frame(close_request2(6, id2(7)))).s(frame(close_response2(6)));
  const Played played = play(kSmbEntry, script);
  EXPECT_TRUE(played.has("0> smb.share \\x5c\\x5csrv\\x5cdata")) << played.all();
  EXPECT_TRUE(played.has("1> file.name dir\\x5ca.exe"));
  EXPECT_TRUE(played.has("1> file.data = first second"));
  EXPECT_TRUE(played.has("1< file.name dir\\x5ca.exe"));
  EXPECT_TRUE(played.has("1< file.data = content"));
  EXPECT_TRUE(played.has("log smb command=CREATE dialect=0x302 status=0x0 filename=dir\\x5ca.exe"));
  EXPECT_EQ(played.count("_type=fileinfo size=12 sha256="), 1u);
  EXPECT_EQ(played.count("event"), 0u);
  EXPECT_EQ(played.count("finish"), 4u);
  EXPECT_EQ(played.left, 0u);
  expect_any_segmentation(kSmbEntry, script);
}

TEST(Smb2, PipesCarryDcerpc) {
  Script script = share2("\\\\srv\\IPC$", 2);
  script.c(frame(create_request2(2, 5, "svcctl"))).s(frame(create_response2(2, 7)));
  script.c(frame(write2(3, id2(7), rpc_bind())))
      .c(frame(read_request2(4, id2(7))))
      .s(frame(read_response2(4, "")));
  script.c(ioctl2(false, 5, id2(7), rpc_request("question")))
      .s(ioctl2(true, 5, id2(7), rpc_response("answer")));
  script.c(frame(write2(6, id2(7), rpc_request("again"))))
      .c(frame(read_request2(7, id2(7))))
      .s(frame(read_response2(7, rpc_response("re"))));
  const Played played = play(kSmbEntry, script);
  EXPECT_TRUE(played.has("0> smb.named_pipe \\x5c\\x5csrv\\x5cIPC$")) << played.all();
  EXPECT_TRUE(played.has("1> smb.named_pipe svcctl"));
  EXPECT_TRUE(played.has("2> dcerpc.stub_data question"));
  EXPECT_TRUE(played.has("2< dcerpc.stub_data answer"));
  EXPECT_TRUE(played.has("3> dcerpc.stub_data again"));
  EXPECT_TRUE(played.has("3< dcerpc.stub_data re"));
  EXPECT_EQ(played.count("file."), 0u);
  EXPECT_EQ(played.left, 0u);
  expect_any_segmentation(kSmbEntry, script);
}

TEST(Smb2, RelatedCommandsOfACompoundMeanTheFileOpenedInIt) {
  std::string create = create_request2(2, 5, "a.txt!!!");
  create = create_request2(2, 5, "a.txt!!!", static_cast<unsigned>(create.size()));
  const std::string created = create_response2(2, 9);
  Script script = share2("\\\\srv\\data", 1);
  script.c(frame(create + read_request2(3, kRelatedId)));
  script.s(
      frame(create_response2(2, 9, 0, static_cast<unsigned>(created.size())) + read_response2(3, "body")));
  std::string second = create_request2(4, 5, "b.txt!!!");
  second = create_request2(4, 5, "b.txt!!!", static_cast<unsigned>(second.size()));
  script.c(frame(second + write2(5, kRelatedId, "out"))).s(frame(create_response2(4, 10)));
  const Played played = play(kSmbEntry, script);
  EXPECT_TRUE(played.has("1< file.data = body")) << played.all();
  EXPECT_TRUE(played.has("2> file.data = out"));
  EXPECT_EQ(played.left, 0u);
  expect_any_segmentation(kSmbEntry, script);
}

TEST(Smb2, CompoundsAreBoundedAndMustLieInsideTheirRecord) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += header2(13, false, 1, 5, 0, 64);
  Played played = play(kSmbEntry, Script().c(frame(many)).c(tree_request2(1, "\\\\a\\after")));
  EXPECT_EQ(played.count("event smb.too_many_compounds"), 1u);
  EXPECT_EQ(played.count("after"), 1u) << "the next record is read: " << played.all();
  for (const unsigned next : {8u, 63u, 100000u}) {
    played = play(
        kSmbEntry,
        Script().c(frame(header2(13, false, 1, 5, 0, next) + zeros(64))).c(tree_request2(1, "\\\\a\\after")));
    EXPECT_EQ(played.count("event smb.malformed_data"), 1u) << next;
    EXPECT_EQ(played.count("> smb.share"), 1u);
  }
}

TEST(Smb2, ABigWriteStreamsThrough) {
  Script script = share2("\\\\srv\\data", 1);
  script.c(frame(create_request2(2, 5, "big"))).s(frame(create_response2(2, 7)));
  script.c(frame(write2(3, id2(7), std::string(8 << 20, 'B'))));
  RecordingHost host;
  Parser* parser = kSmbEntry.make(host);
  FlowFacts facts;
  std::size_t most = 0;
  for (const auto& [d, text] : script.turns)
    for (std::size_t at = 0; at < text.size(); at += 1460) {
      parser->feed(d, as_bytes(text).subspan(at, std::min<std::size_t>(1460, text.size() - at)), {}, facts,
                   host);
      host.lines.clear();
      most = std::max(most, host.pool().in_use());
    }
  EXPECT_EQ(host.bodies_seen, std::size_t{8} << 20);
  EXPECT_LE(most, 100u * 1024);
  parser->destroy(host.pool());
}

TEST(Smb2, NtlmNamesOfASessionSetup) {
  const Played played = play(kSmbEntry, Script().c(session_setup2(ntlm("CLINIC", "j.doe", "WS1"))));
  EXPECT_TRUE(played.has("0> smb.ntlmssp_user j.doe"));
  EXPECT_TRUE(played.has("0> smb.ntlmssp_domain CLINIC"));
  EXPECT_EQ(played.count("ntlmssp_host=WS1"), 1u);
  EXPECT_EQ(played.left, 0u);
  std::string lie = ntlm("CLINIC", "j.doe", "WS1");
  lie[6 + 40] = '\x7f';  // the user's offset
  lie[6 + 42] = '\x7f';
  EXPECT_TRUE(play(kSmbEntry, Script().c(session_setup2(lie))).has("event smb.malformed_ntlmssp_request"));
  EXPECT_TRUE(play(kSmbEntry, Script().c(session_setup2(ntlm("", "", "").substr(0, 40))))
                  .has("event smb.malformed_ntlmssp_request"));
}

TEST(Smb2, EncryptedAndCompressedRecordsAreOpaque) {
  Script script = share2("\\\\srv\\data", 1);
  script.c(frame(std::string("\xfdSMB", 4) + std::string(100, 'e')))
      .c(frame(std::string("\xfdSMB", 4) + std::string(100, 'e')));
  script.s(frame(std::string("\xfcSMB", 4) + std::string(100, 'c'))).c(tree_request2(9, "\\\\srv\\plain"));
  const Played played = play(kSmbEntry, script);
  EXPECT_EQ(played.count("> opaque on"), 1u);
  EXPECT_EQ(played.count("> opaque off"), 1u) << "plain records are looked at again";
  EXPECT_EQ(played.count("< opaque on"), 1u);
  EXPECT_EQ(played.count("event smb.compressed"), 1u);
  expect_any_segmentation(kSmbEntry, script);
}

TEST(Smb2, OpenFilesAndRequestsAreBounded) {
  Script script = share2("\\\\srv\\data", 1);
  for (unsigned i = 0; i < 300; ++i)
    script.c(frame(create_request2(10 + i, 5, "f"))).s(frame(create_response2(10 + i, 100 + i)));
  for (unsigned i = 0; i < 300; ++i) script.c(frame(read_request2(1000 + i, id2(399))));
  script.s(frame(read_response2(1299, "still there")));
  const Played played = play(kSmbEntry, script);
  EXPECT_EQ(played.count("event smb.too_many_files"), 300 - SmbParser::kMaxFiles);
  EXPECT_EQ(played.count("event smb.too_many_requests"), 300 - SmbParser::kMaxRequests);
  EXPECT_TRUE(played.has("300< file.data = still there"));
  EXPECT_EQ(played.left, 0u);
  Script trees;
  for (unsigned i = 0; i < 300; ++i) trees.c(tree_request2(i, "\\\\a\\b")).s(tree_response2(i, i, 1));
  EXPECT_EQ(play(kSmbEntry, trees).left, 0u);
}

TEST(Smb2, ARefusedOpenAndAPendingAnswer) {
  Script script = share2("\\\\srv\\data", 1);
  script.c(frame(create_request2(2, 5, "no"))).s(frame(header2(5, true, 2, 5, 0xc0000022) + zeros(9)));
  script.c(frame(create_request2(3, 5, "slow")))
      .s(frame(header2(5, true, 3, 5, 0x103) + zeros(9)))
      .s(frame(create_response2(3, 7)));
  script.c(frame(write2(4, id2(7), "late")));
  const Played played = play(kSmbEntry, script);
  EXPECT_TRUE(played.has("log smb command=CREATE dialect=0x302 status=0xc0000022 filename=no"));
  EXPECT_TRUE(played.has("2> file.data = late")) << played.all();
}

TEST(Smb2, WrongDirectionsAreTold) {
  EXPECT_TRUE(play(kSmbEntry, Script().c(tree_response2(1, 5, 1))).has("event smb.response_to_server"));
  EXPECT_TRUE(play(kSmbEntry, Script().s(tree_request2(1, "\\\\a\\b"))).has("event smb.request_to_client"));
}

TEST(Smb, FrameLengthsThatLie) {
  // Longer than what follows: it waits, bounded. Shorter than the message: the rest is no frame.
  Played played = play(kSmbEntry, Script().c(frame(header2(3, false, 1) + zeros(100), 0xffffff)),
                       [] { return std::size_t{50}; });
  EXPECT_FALSE(played.failed);
  EXPECT_EQ(played.left, 0u);
  played = play(kSmbEntry, Script().c(frame(tree_request2(1, "\\\\a\\b").substr(4), 70)));
  EXPECT_TRUE(played.failed);
  EXPECT_TRUE(played.has("event smb.malformed_data"));
  played = play(kSmbEntry, Script().c(frame("tiny")).c(tree_request2(1, "\\\\a\\b")));
  EXPECT_EQ(played.count("event smb.malformed_data"), 1u);
  EXPECT_EQ(played.count("> smb.share"), 1u);
  // A command that is not data and has no end.
  played = play(
      kSmbEntry,
      Script().c(frame(header2(3, false, 1) + std::string(1 << 20, 'x'))).c(tree_request2(1, "\\\\a\\b")));
  EXPECT_EQ(played.count("event smb.record_overflow"), 1u);
  EXPECT_GE(played.count("smb.share"), 1u) << played.all().substr(0, 300);
}

TEST(Smb, AnIdleFlowIsSmall) {
  EXPECT_LE(sizeof(SmbParser), 500u);
}

// ---- SMB 1
std::string header1(unsigned command, bool response, unsigned mid, unsigned tid = 3, unsigned status = 0) {
  return std::string("\xffSMB", 4) + static_cast<char>(command) + u32(status) +
         static_cast<char>(response ? 0x80 : 0) + u16(0xc000) + zeros(12) + u16(tid) + u16(77) + u16(1) +
         u16(mid);
}
std::string body1(const std::string& words, const std::string& bytes) {
  return static_cast<char>(words.size() / 2) + words + u16(static_cast<unsigned>(bytes.size())) + bytes;
}
const std::string kNoNext{'\xff', 0, 0, 0};
std::string tree_request1(unsigned mid, const std::string& path, const std::string& service) {
  // 32 + 1 + 8 + 2 = 43; the password is one byte, so the path is aligned.
  return frame(header1(0x75, false, mid, 0) +
               body1(kNoNext + u16(0) + u16(1), zeros(1) + utf16(path) + zeros(2) + service + zeros(1)));
}
std::string tree_response1(unsigned mid, unsigned tid, const std::string& service) {
  return frame(header1(0x75, true, mid, tid) + body1(kNoNext + u16(0), service + zeros(1)));
}
std::string create_request1(unsigned mid, const std::string& name) {
  const std::string n = utf16(name);
  return frame(header1(0xa2, false, mid) +
               body1(kNoNext + zeros(1) + u16(static_cast<unsigned>(n.size())) + zeros(41), zeros(1) + n));
}
std::string create_response1(unsigned mid, unsigned fid) {
  return frame(header1(0xa2, true, mid) + body1(kNoNext + zeros(1) + u16(fid) + zeros(61), ""));
}
std::string write1(unsigned mid, unsigned fid, const std::string& data, unsigned mode = 0) {
  const unsigned n = static_cast<unsigned>(data.size());
  return frame(header1(0x2f, false, mid) + static_cast<char>(14) + kNoNext + u16(fid) + zeros(8) + u16(mode) +
               u16(0) + u16(n >> 16) + u16(n & 0xffff) + u16(64) + zeros(4) + u16(n & 0xffff) + zeros(1) +
               data);
}
std::string read_request1(unsigned mid, unsigned fid) {
  return frame(header1(0x2e, false, mid) + body1(kNoNext + u16(fid) + zeros(18), ""));
}
std::string read_response1(unsigned mid, const std::string& data) {
  const unsigned n = static_cast<unsigned>(data.size());
  return frame(header1(0x2e, true, mid) + static_cast<char>(12) + kNoNext + zeros(6) + u16(n & 0xffff) +
               u16(60) + u16(n >> 16) + zeros(8) + u16(n) + zeros(1) + data);
}
std::string transact1(bool response, unsigned mid, unsigned fid, const std::string& data) {
  const unsigned n = static_cast<unsigned>(data.size());
  if (response)
    return frame(header1(0x25, true, mid) + body1(u16(0) + u16(n) + zeros(2) + u16(0) + u16(0) + u16(0) +
                                                      u16(n) + u16(56) + u16(0) + u16(0),
                                                  zeros(1) + data));
  return frame(header1(0x25, false, mid) + body1(zeros(18) + u16(0) + u16(0) + u16(n) + u16(68) +
                                                     std::string{2, 0} + u16(0x26) + u16(fid),
                                                 zeros(1) + data));
}

TEST(Smb1, FilesAndPipes) {
  Script script;
  script.c(tree_request1(1, "\\\\SRV\\PUB", "?????")).s(tree_response1(1, 3, "A:"));
  script.c(create_request1(2, "\\a.txt")).s(create_response1(2, 0x4001));
  script.c(write1(3, 0x4001, "written" + std::string(90000, 'w')))
      .c(read_request1(4, 0x4001))
      .s(read_response1(4, "read"));
  script.c(frame(header1(0x04, false, 5) + body1(u16(0x4001) + zeros(4), "")))
      .s(frame(header1(0x04, true, 5) + body1("", "")));
  Played played = play(kSmbEntry, script);
  EXPECT_TRUE(played.has("0> smb.share \\x5c\\x5cSRV\\x5cPUB")) << played.all().substr(0, 900);
  EXPECT_TRUE(played.has("1> file.name \\x5ca.txt"));
  EXPECT_EQ(played.count("1> file.data = writtenwww"), 1u);
  EXPECT_TRUE(played.has("1< file.data = read"));
  EXPECT_EQ(played.count("size=90007"), 1u);
  EXPECT_EQ(played.left, 0u);

  Script pipe;
  pipe.c(tree_request1(1, "\\\\SRV\\IPC$", "IPC")).s(tree_response1(1, 3, "IPC"));
  pipe.c(create_request1(2, "\\svcctl")).s(create_response1(2, 0x4001));
  pipe.c(write1(3, 0x4001, rpc_bind()));
  pipe.c(transact1(false, 4, 0x4001, rpc_request("question")))
      .s(transact1(true, 4, 0, rpc_response("answer")));
  pipe.c(write1(5, 0x4001, u16(99) + rpc_request("raw"), 0x000c))
      .c(read_request1(6, 0x4001))
      .s(read_response1(6, rpc_response("re")));
  played = play(kSmbEntry, pipe);
  EXPECT_TRUE(played.has("0> smb.named_pipe \\x5c\\x5cSRV\\x5cIPC$")) << played.all();
  EXPECT_TRUE(played.has("1> smb.named_pipe \\x5csvcctl"));
  EXPECT_TRUE(played.has("2> dcerpc.stub_data question"));
  EXPECT_TRUE(played.has("2< dcerpc.stub_data answer"));
  EXPECT_TRUE(played.has("3> dcerpc.stub_data raw"));
  EXPECT_TRUE(played.has("3< dcerpc.stub_data re"));
  EXPECT_EQ(played.left, 0u);
  expect_any_segmentation(kSmbEntry, pipe);
}

TEST(Smb1, ChainsAreFollowedAndBounded) {
  // A session setup with a tree connect chained behind it.
  const std::string blob = ntlm("D", "user", "H");
  const std::string setup_words =
      std::string{0x75, 0} + u16(0) + zeros(10) + u16(static_cast<unsigned>(blob.size())) + zeros(8);
  std::string first = header1(0x73, false, 1, 0) + body1(setup_words, blob);
  if (first.size() % 2 == 1) first += zeros(1);
  first[35] = static_cast<char>(first.size());
  const std::string connect = body1(kNoNext + u16(0) + u16(2),
                                    zeros(2) + zeros(1) + utf16("\\\\S\\C$") + zeros(2) + "?????" + zeros(1));
  Played played = play(kSmbEntry, Script().c(frame(first + connect)));
  EXPECT_TRUE(played.has("0> smb.ntlmssp_user user")) << played.all();
  EXPECT_TRUE(played.has("1> smb.share \\x5c\\x5cS\\x5cC$"));
  // A chain that points back ends; one without end is told.
  std::string loop = header1(0x24, false, 1) + body1(std::string{0x24, 0} + u16(32) + zeros(12), "");
  EXPECT_EQ(play(kSmbEntry, Script().c(frame(loop))).count("event smb.too_many_compounds"), 0u);
  std::string chain = header1(0x24, false, 1);
  for (int i = 0; i < 20; ++i)
    chain += body1(std::string{0x24, 0} + u16(static_cast<unsigned>(chain.size() + 19)) + zeros(12), "");
  EXPECT_EQ(play(kSmbEntry, Script().c(frame(chain))).count("event smb.too_many_compounds"), 1u);
  EXPECT_TRUE(
      play(kSmbEntry, Script().c(frame(header1(0x73, false, 1) + "\xff"))).has("event smb.malformed_data"));
}

TEST(Smb, NetbiosSessions) {
  Script script;
  script.c(std::string("\x81\0\0\x44", 4) + std::string(0x44, ' '))
      .s(std::string("\x82\0\0\0", 4))
      .c(tree_request2(1, "\\\\a\\b"))
      .c(std::string("\x85\0\0\0", 4));
  EXPECT_EQ(play(kSmbEntry, script).count("> smb.share"), 1u);
  EXPECT_TRUE(play(kSmbEntry, Script().c("GET / HTTP/1.1\r\n")).failed);
}

TEST(Smb, Probes) {
  const std::string message = tree_request2(1, "\\\\a\\b");
  for (std::size_t n = 1; n < 8; ++n)
    EXPECT_EQ(kSmbEntry.probe(Direction::to_server, as_bytes(message.substr(0, n)), 445), Probe::more);
  EXPECT_EQ(kSmbEntry.probe(Direction::to_server, as_bytes(message), 9999), Probe::yes);
  EXPECT_EQ(kSmbEntry.probe(Direction::to_client, as_bytes(message), 9999), Probe::yes);
  EXPECT_EQ(kSmbEntry.probe(Direction::to_server, as_bytes(std::string("\x81\0\0\x44", 4)), 139), Probe::yes);
  EXPECT_EQ(kSmbEntry.probe(Direction::to_server, as_bytes(std::string("\x81\0\0\x44", 4)), 80), Probe::no);
  EXPECT_EQ(kSmbEntry.probe(Direction::to_server, as_bytes("GET / HTTP/1.1"), 445), Probe::no);
  EXPECT_EQ(kSmbEntry.probe(Direction::to_server, as_bytes(std::string("\0\x1c\x12\x34\x01\0\0\x01", 8)), 53),
            Probe::no);
}

TEST(Smb, NamesAreUtf8) {
  std::uint8_t out[64];
  const auto text = [&](const std::string& in) {
    return RecordingHost::printable(smb_text(as_bytes(in), true, out));
  };
  EXPECT_EQ(text(utf16("abc") + zeros(2) + utf16("x")), "abc");
  EXPECT_EQ(text(std::string("\xe4\0", 2)), "\\xc3\\xa4");
  EXPECT_EQ(text(std::string("\x3d\xd8\x00\xde", 4)), "\\xf0\\x9f\\x98\\x80");
  EXPECT_EQ(text("a"), "");
  EXPECT_EQ(smb_text(as_bytes(utf16(std::string(100, 'z'))), true, out).size(), 64u);
}

}  // namespace
}  // namespace sekisho::app
