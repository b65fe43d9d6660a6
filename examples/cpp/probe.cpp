// Does ONNX Runtime in C++ give the answers that a bundle stores?   probe BUNDLE/NAME.probe.json
// The model is BUNDLE/NAME.onnx. Exit code: 0 the same answers, 1 others, 2 unusable files.
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using nlohmann::json;

template <typename T>
std::vector<T> flat(const json& values) {  // row by row
  std::vector<T> found;
  for (const json& item : values.flatten()) found.push_back(item.get<T>());
  return found;
}

// In units of the usual size of a mean, since cross sections may be 1e-9 pb; a std of rounding is nothing beside it.
double absolute(const std::string& name, const json& stored, const json& tolerance) {
  double size = name == "mean" || name == "std" ? 0 : 1;
  for (const std::string& key : {std::string("mean"), name}) {
    if (size == 1 || !stored.contains(key)) continue;
    auto values = flat<double>(stored.at(key));
    for (double& value : values) value = std::abs(value);
    std::sort(values.begin(), values.end());
    size = std::max(size, (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2);
  }
  return tolerance.at("absolute").get<double>() * std::min(1.0, size);
}

template <typename T>
bool same(const json& probe, const std::string& model) {
  Ort::Env env;
  Ort::Session session(env, model.c_str(), Ort::SessionOptions());
  auto points = flat<T>(probe.at("points"));
  const std::vector<int64_t> shape{int64_t(probe.at("points").size()), int64_t(probe.at("inputs").size())};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto input = Ort::Value::CreateTensor<T>(memory, points.data(), points.size(), shape.data(), shape.size());
  bool good = true;
  for (const auto& [name, stored] : probe.at("outputs").items()) {
    const char *in = "points", *out = name.c_str();
    const auto answer = session.Run(Ort::RunOptions(), &in, &input, 1, &out, 1);
    const auto expected = flat<double>(stored);
    if (answer[0].GetTensorTypeAndShapeInfo().GetElementCount() != expected.size()) throw std::runtime_error(name);
    const T* given = answer[0].template GetTensorData<T>();
    const double limit = absolute(name, probe.at("outputs"), probe.at("tolerance")), rows = double(stored.size());
    const size_t width = expected.size() / stored.size();
    double largest = 0, off = 0;
    for (size_t row = 0; row < stored.size(); ++row) {
      bool beyond = false;
      for (size_t i = row * width; i < (row + 1) * width; ++i) {
        const double apart = std::abs(double(given[i]) - expected[i]);
        largest = std::max(largest, apart);
        beyond |= !(apart <= limit + probe.at("tolerance").at("relative").get<double>() * std::abs(expected[i]));
      }
      off += beyond;
    }
    std::cout << name << ": largest difference " << largest << ", " << off << " of " << rows << " rows beyond\n";
    good &= 1e6 * off / rows <= probe.at("tolerance").at("mismatched_ppm").get<double>();
  }
  return good;
}

int main(int count, char** words) try {
  const std::string path = count == 2 ? words[1] : "";
  std::ifstream file(path);
  const json probe = json::parse(file);
  const std::string model = path.substr(0, path.rfind('/') + 1) + probe.at("model").get<std::string>() + ".onnx";
  return (probe.at("dtype") == "float64" ? same<double>(probe, model) : same<float>(probe, model)) ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "probe: " << error.what() << '\n';
  return 2;
}
