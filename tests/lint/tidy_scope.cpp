// A plugin of clang-tidy: its checks look at what this repository declares, and not, each of them
// anew, through all of the standard library and Asio, whose mistakes are not reported anyway. That
// is more than half of what clang-tidy takes. (Newer ones can do this by themselves.)
#include <clang/AST/ASTConsumer.h>
#include <clang/AST/ASTContext.h>
#include <clang/AST/Decl.h>
#include <clang/Basic/SourceManager.h>
#include <clang/Frontend/CompilerInstance.h>
#include <clang/Frontend/FrontendAction.h>
#include <clang/Frontend/FrontendPluginRegistry.h>
#include <llvm/ADT/StringRef.h>
#include <memory>
#include <string>
#include <vector>

namespace {

class OurDeclarations : public clang::ASTConsumer {
 public:
  void HandleTranslationUnit(clang::ASTContext& context) override {
    const clang::SourceManager& sources = context.getSourceManager();
    std::vector<clang::Decl*> ours;
    for (clang::Decl* decl : context.getTranslationUnitDecl()->decls()) {
      // What a macro makes is where it is used.
      const auto place = sources.getExpansionLoc(decl->getLocation());
      if (!sources.isInSystemHeader(place)) ours.push_back(decl);
    }
    context.setTraversalScope(ours);
  }
};

class Scope : public clang::PluginASTAction {
 protected:
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance&,
                                                        llvm::StringRef) override {
    return std::make_unique<OurDeclarations>();
  }
  bool ParseArgs(const clang::CompilerInstance&, const std::vector<std::string>&) override {
    return true;
  }
  /// Without being asked for, and before the checks have their turn.
  ActionType getActionType() override { return AddBeforeMainAction; }
};

const clang::FrontendPluginRegistry::Add<Scope> registered("our-declarations",
                                                           "checks look at nothing else");

}  // namespace
