// card: 当直カード, the printed page that tells the night shift how to cut. A4, Japanese and English, of what
// this site's configuration says. Pango and cairo lay it out and embed the font.
#include <cairo-pdf.h>
#include <fmt/format.h>
#include <pango/pangocairo.h>

#include <algorithm>
#include <memory>

#include "control/cli/commands.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

constexpr double kWidth = 595.28, kHeight = 841.89, kMargin = 42;  // points
constexpr const char* kFamily = "IPAexGothic, Noto Sans CJK JP, IPAGothic, Sans";
constexpr std::size_t kMostLinks = 40, kMostPhones = 40;

class Page {
 public:
  explicit Page(const std::string& file)
      : surface_(cairo_pdf_surface_create(file.c_str(), kWidth, kHeight)), cairo_(cairo_create(surface_)) {}
  ~Page() {
    cairo_destroy(cairo_);
    cairo_surface_destroy(surface_);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  void text(double size, const std::string& words, bool bold = false, double indent = 0) {
    PangoLayout* layout = lay_out(size, words, bold, kWidth - 2 * kMargin - indent);
    int height = 0;
    pango_layout_get_pixel_size(layout, nullptr, &height);
    if (y_ + height > kHeight - kMargin) {
      cairo_show_page(cairo_);
      y_ = kMargin;
    }
    cairo_move_to(cairo_, kMargin + indent, y_);
    pango_cairo_show_layout(cairo_, layout);
    y_ += height + size * 0.25;
    g_object_unref(layout);
  }
  void heading(const std::string& words) {
    y_ += 6;
    cairo_set_line_width(cairo_, 0.8);
    cairo_move_to(cairo_, kMargin, y_);
    cairo_line_to(cairo_, kWidth - kMargin, y_);
    cairo_stroke(cairo_);
    y_ += 3;
    text(13, words, true);
  }
  // Empty: written.
  std::string finish() {
    cairo_show_page(cairo_);
    cairo_surface_finish(surface_);
    const cairo_status_t status = cairo_surface_status(surface_);
    return status == CAIRO_STATUS_SUCCESS ? std::string() : cairo_status_to_string(status);
  }

 private:
  PangoLayout* lay_out(double size, const std::string& words, bool bold, double width) {
    PangoLayout* layout = pango_cairo_create_layout(cairo_);
    PangoFontDescription* font = pango_font_description_from_string(kFamily);
    pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
    if (bold) pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    pango_layout_set_width(layout, static_cast<int>(width * PANGO_SCALE));
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_text(layout, words.c_str(), static_cast<int>(words.size()));
    return layout;
  }

  cairo_surface_t* surface_;
  cairo_t* cairo_;
  double y_ = kMargin;
};

std::string joined(const json& list) {
  std::string out;
  for (const json& one : list) out += (out.empty() ? "" : ", ") + one.get<std::string>();
  return out;
}

std::string draw(const json& site, const std::string& file) {
  Page page(file);
  page.text(20, "当直カード 関所 (Sekisho) " + site.value("site", ""), true);
  page.text(
      9, fmt::format("On-call card. 設定 version {}  {}", site.value("version", 0u), site.value("made", "")));

  page.heading("1. 遮断する  Cut");
  page.text(11, "迷ったら遮断してよい。外部・保守回線の遮断は診療を止めない。10分以内は自分で取り消せる。");
  page.text(9.5,
            "When in doubt, cut. Cutting outside and vendor lines stops no care. Your own cut can be taken "
            "back within "
            "10 minutes.");
  page.text(10.5, "画面 Console: リンクを選び「遮断」 / choose the link, press Cut", false, 10);
  page.text(10.5, "本体の画面 Machine's own screen: sekisho-menu → 暗証番号 PIN → 番号 number", false, 10);
  page.text(10.5, "コマンド Command: sekisho cut NAME --reason \"…\"   (影響確認 preview: --dry-run)", false,
            10);
  page.text(10.5, "sekishod が応答しない場合 if nobody answers: sekisho cut NAME --direct (root)", false, 10);
  page.text(10.5, "「未確認 UNCONFIRMED」と出たら下の表のケーブルを抜く / pull the cable in the table below",
            true, 10);

  page.heading("2. リンクとケーブル  Links and the cables to pull");
  std::size_t shown = 0;
  for (const json& l : site.at("links")) {
    if (++shown > kMostLinks) break;
    page.text(11,
              fmt::format("sekisho cut {}{}", l.value("link", ""),
                          l.value("clinical", false)
                              ? "   【診療系 clinical: 病棟へ連絡してから / call the wards first】"
                              : ""),
              true, 10);
    page.text(9.5,
              fmt::format("{} ⇔ {}   ケーブル cable: {}", l.at("zones").at(0).get<std::string>(),
                          l.at("zones").at(1).get<std::string>(), joined(l.at("cables"))),
              false, 22);
  }
  page.text(11, "sekisho cut all   すべて遮断 / everything", true, 10);

  if (!site.at("playbooks").empty()) {
    page.heading("3. 緊急対応手順  Playbooks");
    for (const json& book : site.at("playbooks"))
      page.text(11,
                fmt::format("sekisho playbook run {}   {} / {}", book.value("name", ""),
                            book.value("title_ja", ""), book.value("title_en", "")),
                false, 10);
  }
  page.heading("4. 連絡先  Phones");
  shown = 0;
  for (const json& p : site.at("phones")) {
    if (++shown > kMostPhones) break;
    page.text(10,
              fmt::format("☎ {}   {} {}{}", p.value("phone", ""), p.value("ward", ""), p.value("name", ""),
                          p.value("protected", false) ? "  【保護対象 protected】" : ""),
              false, 10);
  }
  if (site.at("phones").empty()) page.text(10, "______________________________________________", false, 10);
  page.text(10.5,
            "CSIRT ____________________   情報システム IT ____________________   院長 Director "
            "____________________");

  page.heading("5. してはいけないこと  Do not");
  page.text(10.5,
            "電源を切らない(証拠が消える)。遮断解除は2名で。 / Do not switch off (evidence is lost). "
            "Reopening takes two.",
            false, 10);
  return page.finish();
}

}  // namespace

void add_card_command(Program p) {
  auto file = std::make_shared<std::string>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* card =
      p.app.add_subcommand("card", "当直カード: the printed page for the night shift, as PDF (A4)");
  card->add_option("--out", *file, "the file to write")->required();
  card->callback([file, &s, &exit] {
    const Answer answer = get(s, "/v1/card");
    exit = answer.exit;
    if (!answer.ok() || print_json(s, answer.body)) return;
    if (const std::string why = draw(answer.body, *file); !why.empty()) {
      fmt::print(stderr, "sekisho: {}: {}\n", *file, why);
      exit = kRefused;
    }
  });
}

}  // namespace sekisho::cli
