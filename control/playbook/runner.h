// Runs playbooks and drills.
//
// A cut of a step goes the way of the cut command (LinkControl) and waits for nothing else: the run's record
// is written, audited and told of by a thread of its own, beside the steps. A run is stoppable at any moment
// (what is cut stays cut); after a restart of sekishod an unfinished run is shown as interrupted at its step
// and is never continued. One run of a playbook at a time: whoever comes second is told of the first, and may
// continue or stop it.
//
// Thread: any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/link/link_set.h"
#include "control/link/receipt.h"
#include "control/notice/notice.h"
#include "control/playbook/run.h"

namespace sekisho::control {

// How the runner acts; called by the threads of runs.
struct PlaybookHands {
  // The links that a target means now; nothing: no such thing any more.
  std::function<std::optional<LinkSet>(const std::string& target)> find;
  std::function<Receipt(const LinkSet&, const Who&, const std::string& reason, bool reset, bool partial)> cut;
  // Of a drill: what has passed each of these links so far, and their live flows (as flows_ended).
  std::function<std::vector<WouldDrop>(const LinkSet&)> count;
  // Empty: recorded.
  std::function<std::string(const Who&, const std::string& action, const std::string& details)> audit;
  NoticeSink* notices = nullptr;
};

struct RunnerOptions {
  std::string directory;  // one JSON file a run
  std::size_t runs_kept = 200;
  std::size_t most_running = 8;
};

struct RunAnswer {
  std::string refusal;  // named: "already_running: …", "no_such_run", "not_paused", …; empty: done
  PlaybookRun run;
};

class PlaybookRunner {
 public:
  PlaybookRunner(RunnerOptions options, PlaybookHands hands);
  ~PlaybookRunner();  // stops between steps; unfinished runs read as interrupted at the next start

  // Begins and returns at once; the first step is under way in a thread of its own.
  RunAnswer start(const Playbook& playbook, const Who& who, const std::string& reason, bool drill);
  // Goes on after a pause.
  RunAnswer go_on(const std::string& run, const Who& who);
  RunAnswer stop(const std::string& run, const Who& who, const std::string& reason);

  std::vector<PlaybookRun> runs() const;  // newest first, finished ones too
  std::optional<PlaybookRun> run(const std::string& id) const;
  // Why a run could not be kept on disk; empty: all are.
  std::string disk_problem() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The playbook of a drill of one target: its cut, then `for_s` seconds of counting.
Playbook drill_of(const std::string& target, std::uint32_t for_s);

}  // namespace sekisho::control
